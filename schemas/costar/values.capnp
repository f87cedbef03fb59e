# Answers and parts of messages that are plain values, and addresses of actors.
#
# A message is a struct; its type on the wire is the id of its schema. What is no struct in a program travels in
# one of these. Ids and ordinals are never used twice.

@0xa2d3c5a2166ec091;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("costar::schema");

struct Nothing @0xcd27b8036e5a15e7 {
  # An answer that says only that the request was handled: `void` of C++.
}

struct Truth @0xdcc87558652afe4c {
  value @0 :Bool;
}

struct Integer @0xce62d31fd5ccca9c {
  # A whole number with a sign. A reader that has a smaller type refuses what does not fit, and never cuts.
  value @0 :Int64;
}

struct Natural @0xba9e6ea6aaf3f0a4 {
  # A whole number without a sign; else as Integer.
  value @0 :UInt64;
}

struct Number @0x8a876e8a5c180679 {
  value @0 :Float64;
}

struct Letters @0xed16789ede7a43bf {
  # UTF-8, which nobody on the way looks at.
  value @0 :Text;
}

struct Bytes @0x8c3808494eda062c {
  value @0 :Data;
}

struct Pid @0xb392fcc127b69daa {
  # Where an actor is. All fields at their defaults: nobody.
  #
  # The reader turns it into an address that works from where it is, also where the actor is the reader's own or
  # on a third node. One that is stale is not found out here, but when it is used.

  life @0 :UInt64;
  # Which life of which node: drawn at random when the node starts. 0 is nobody's.

  strand @1 :UInt16;
  slot @2 :UInt32;
  generation @3 :UInt32;
  # Mean something to that node alone, and are given back as they are.

  address @4 :Text;
  # Where the node can be dialled, "host:port" or "unix:/path". Absent for a node that does not listen, and where
  # the reader has it: in what a node says of its own actors.
}
