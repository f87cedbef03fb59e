# What a node offers to programs that are no nodes, in any language: its actors, and the services that its program has.
#
# It needs no other schema of costar, so that a program takes this file alone. Errors are numbers in fields, those of
# costar::errc; 0 is none. Whoever calls this without a greeting is a client: it need not have a bootstrap object.

@0x880abba59dd25417;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("costar::schema");

interface Directory @0x9b2d043842191490 {
  actor @0 (name :Text) -> (actor :Actor, failure :UInt16);
  # The actor that has this name now. Where there is none, `failure` says so, and whatever is asked of `actor` fails in
  # the same way: so a program may ask it without waiting for this answer. It is absent where too many are held.

  service @1 (name :Text) -> (service :Capability, failure :UInt16);
  # What the program of the node offers by this name: one object for each connection, made when it is first asked for.
  # Absent where `failure` says why.
}

interface Actor @0xcde16c7fd4dab888 {
  # One actor, in one of its lives. When it has ended, requests fail with no_such_actor (3), and its name may be that
  # of another one.

  tell @0 Message -> (failure :UInt16);
  # Answered when the message is on its way, or cannot be.

  ask @1 Message -> Answer;
  # Answered when the actor has answered, or never will; after `remaining` at the latest. A caller that gives up sends
  # a Finish, after which this node remembers nothing of the call.
}

struct Message @0x92ae18e3134706d3 {
  type @0 :UInt64;
  # The id of the struct that `body` is.

  body @1 :Data;
  # One message of Cap'n Proto as it stands in a file: not packed, with its table of segments.

  remaining @2 :UInt64;
  # Nanoseconds that the caller waits for an answer, at the moment of writing; 0 for ever.

  headers @3 :List(Header);
}

struct Answer @0xd8fb5e92241dc943 {
  type @0 :UInt64;
  body @1 :Data;
  # As in a message.

  failure @2 :UInt16;
  # Why there is none. 0 where `body` is the answer.
}

struct Header @0xadfafe97643faada {
  name @0 :Text;
  value @1 :Text;
}
