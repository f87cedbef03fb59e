# Structs of the node protocol as they were before their last fields came: what a peer sends that is older than those.
# They stand in the place of Batch and Envelope, whose ids do not travel.

@0xa951bf089cacedec;

using Cxx = import "/capnp/c++.capnp";
using Frozen = import "protocol_1.capnp";
$Cxx.namespace("early");

struct Batch @0xb3a8f02ae342b277 {
  # Without a link.

  pids @0 :List(Frozen.Pid);
  envelopes @1 :List(Envelope);
}

struct Envelope @0xbaf9e3c16bd5e6da {
  # Without headers.

  target @0 :UInt32;
  sender @1 :UInt32;
  type @2 :UInt64;
  request @3 :UInt64;
  answers @4 :UInt64;
  remaining @5 :UInt64;
  failure @6 :UInt16;
  body @7 :Data;
}

struct Greeting @0x90e0577f24d8f6fd {
  # Without a nonce and features.

  newest @0 :UInt16;
  oldest @1 :UInt16;
  name @2 :Text;
  life @3 :UInt64;
  address @4 :Text;
  messageMax @5 :UInt32;
}
