# Protocol 1 of nodes, as it was when it was first published: all that two of them say to each other, and the plain
# values that messages are. This file is never changed. It has the ids of what it is a copy of, since those of
# interfaces stand on the wire and those of structs are types of messages; so no program can hold the code that is
# made of both. When there is a newer protocol, a copy of that is laid beside this one.

@0xec332e91e5ad3b73;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("frozen");

struct Nothing @0xcd27b8036e5a15e7 {
}

struct Truth @0xdcc87558652afe4c {
  value @0 :Bool;
}

struct Integer @0xce62d31fd5ccca9c {
  value @0 :Int64;
}

struct Natural @0xba9e6ea6aaf3f0a4 {
  value @0 :UInt64;
}

struct Number @0x8a876e8a5c180679 {
  value @0 :Float64;
}

struct Letters @0xed16789ede7a43bf {
  value @0 :Text;
}

struct Bytes @0x8c3808494eda062c {
  value @0 :Data;
}

struct Pid @0xb392fcc127b69daa {
  life @0 :UInt64;
  strand @1 :UInt16;
  slot @2 :UInt32;
  generation @3 :UInt32;
  address @4 :Text;
}

interface Directory @0x9b2d043842191490 {
  actor @0 (name :Text) -> (actor :Actor, failure :UInt16);
  service @1 (name :Text) -> (service :Capability, failure :UInt16);
}

interface Actor @0xcde16c7fd4dab888 {
  tell @0 Message -> (failure :UInt16);
  ask @1 Message -> Answer;
}

struct Message @0x92ae18e3134706d3 {
  type @0 :UInt64;
  body @1 :Data;
  remaining @2 :UInt64;
  headers @3 :List(Header);
}

struct Answer @0xd8fb5e92241dc943 {
  type @0 :UInt64;
  body @1 :Data;
  failure @2 :UInt16;
}

struct Header @0xadfafe97643faada {
  name @0 :Text;
  value @1 :Text;
}

interface Node @0x93bcf44399cd6966 extends(Directory) {
  hello @0 (greeting :Greeting) -> (welcome :Welcome);
  open @1 (lane :UInt8) -> (sink :Sink);
  find @2 (name :Text) -> (who :Pid);
  ping @3 () -> ();
  spawn @4 (kind :Text, name :Text, type :UInt64, arguments :Data) -> (failure :UInt16, who :Pid);
}

struct Greeting @0x8c634e448aa2b81d {
  newest @0 :UInt16;
  oldest @1 :UInt16;
  name @2 :Text;
  life @3 :UInt64;
  address @4 :Text;
  messageMax @5 :UInt32;
  nonce @6 :UInt64;
  features @7 :List(Feature);
}

struct Feature @0xe8d201abec448eec {
  number @0 :UInt32;
  value @1 :Data;
}

struct Welcome @0x84d56f80cb52f990 {
  refusal @0 :UInt16;
  text @1 :Text;
  protocol @2 :UInt16;
  greeting @3 :Greeting;
}

interface Sink @0x8c1b291c72439306 {
  deliver @0 (batch :Batch) -> stream;
  done @1 () -> (count :UInt64, unreadable :UInt64);
  piece @2 (part :Part) -> stream;
}

struct Part @0xb9a6f2ad5c1c3f07 {
  envelope @0 :Envelope;
  target @1 :Pid;
  sender @2 :Pid;
  size @3 :UInt32;
  data @4 :Data;
  link @5 :UInt64;
}

struct Batch @0xefa94cbf941d74d2 {
  pids @0 :List(Pid);
  envelopes @1 :List(Envelope);
  signals @2 :List(Signal);
  link @3 :UInt64;
}

struct Envelope @0xce37aa57eb5831eb {
  target @0 :UInt32;
  sender @1 :UInt32;
  type @2 :UInt64;
  request @3 :UInt64;
  answers @4 :UInt64;
  remaining @5 :UInt64;
  failure @6 :UInt16;
  body @7 :Data;
  headers @8 :List(Header);
}

struct Signal @0x85efe81387eead84 {
  kind @0 :UInt16;
  target @1 :UInt32;
  about @2 :UInt32;
  linked @3 :Bool;
  reason @4 :UInt16;
  request @5 :UInt64;
}
