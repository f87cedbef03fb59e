# What nodes say to each other: one connection for a pair of them, on which each side bootstraps the other's Node.
#
# Nobody returns an object that its caller hosts, and nobody passes a call on by tailCall: implementations in other
# languages lose the connection over either. Errors are numbers in fields, since kinds and texts of exceptions do not
# survive the way; the numbers are those of costar::errc. Fields are added and never renumbered; one that is dead keeps
# its number under the name "obsolete". There are no enums: a number that a reader does not know is a value it can see.

@0xddce0331bb63915d;

using Cxx = import "/capnp/c++.capnp";
using Directory = import "/costar/directory.capnp";
using Values = import "/costar/values.capnp";
$Cxx.namespace("costar::schema");

interface Node @0x93bcf44399cd6966 extends(Directory.Directory) {
  # What a node is to other nodes; programs that are none use the Directory alone.

  hello @0 (greeting :Greeting) -> (welcome :Welcome);
  # The first call of either side; that which has accepted waits for the other one's. Any other method of
  # this interface that comes before it has been answered with a welcome is an error, and so is a second one. Who calls one of
  # Directory first is a program that is no node, for as long as the connection lasts.

  open @1 (lane :UInt8) -> (sink :Sink);
  # A new sink, for what the caller sends; a dozen of them at most. Lane 0 is the ordinary one, 2 that of messages which are
  # larger than a part, and of what has to stay behind them; 1 is taken.

  find @2 (name :Text) -> (who :Values.Pid);
  # The actor with this name, nobody when there is none.

  ping @3 () -> ();
  # Are you there? A peer from which nothing has come for a while is lost.

  spawn @4 (kind :Text, name :Text, type :UInt64, arguments :Data) -> (failure :UInt16, who :Values.Pid);
  # Spawns an actor of a kind that this node offers to the caller. `name` is empty for an automatic one. `type` is the
  # id of the struct that `arguments` is, one message of Cap'n Proto as it stands in a file; 0 for none. Where `failure`
  # is not 0 nothing was spawned, and `who` has the name if that is why.
}

struct Greeting @0x8c634e448aa2b81d {
  newest @0 :UInt16;
  oldest @1 :UInt16;
  # The protocols that are spoken. This is 1.

  name @2 :Text;
  # Who is there: two living nodes must not have one name.

  life @3 :UInt64;
  # Drawn when the node started, never 0.

  address @4 :Text;
  # Where it can be dialled; absent for one that does not listen.

  messageMax @5 :UInt32;
  # Bytes of a body. The smaller one of both sides holds for both.

  nonce @6 :UInt64;
  # Drawn for this connection.

  features @7 :List(Feature);
  # What is unknown here is skipped and counted. At most 64, with values of 4096 bytes together.
}

struct Feature @0xe8d201abec448eec {
  # What a node can do beyond its protocol, and a peer need not know: what both have said may be used between them. What
  # every peer has to know is no feature, but a newer protocol: a node that needs it has that as its oldest one.
  #
  # 1: of several connections between two nodes one is used, and the others are closed. The side that has dialled says
  # that by its first `open`, and before that nothing is sent over it but greetings. It closes the connection instead
  # when it is welcome, if it has one that the welcome names; or one that has come into use since its hello; or if
  # the other side has dialled too, has said hello, and has the smaller name, else the smaller nonce. One that is opened
  # is the end of any that was used before: the side that has dialled has lost it. The value is empty.

  number @0 :UInt32;
  value @1 :Data;
}

struct Welcome @0x84d56f80cb52f990 {
  refusal @0 :UInt16;
  # 0: welcome. Else why not: 1 no protocol in common, 2 the name is taken, 3 not who was expected, 4 unknown peers are
  # not let in, 5 it is the node itself, 6 the greeting is malformed, 7 too many nodes
  # are known, 8 the certificate is not for the name. Two are taken and stand in no welcome: 9, a handshake of TLS that
  # failed, and 10, too many connections.

  text @1 :Text;
  # For the log.

  protocol @2 :UInt16;
  # The one that is spoken from now on.

  greeting @3 :Greeting;
  # Who answers; there where it is a welcome.

  notice @4 :UInt16;
  # What the one who is welcome should look into: 1, another living node says too that it can be dialled at its
  # address. 0 for nothing; others are skipped.

  others @5 :List(UInt64);
  # With feature 1: other connections to the one who is welcome, the one in use first, then those that it has dialled
  # before; the nonces of the side that has dialled each. 16 at most, what follows is skipped.
}

interface Sink @0x8c1b291c72439306 {
  deliver @0 (batch :Batch) -> stream;
  # At most 4096 envelopes, signals and pids each; what is larger is unreadable as a whole.
  # Never fails: a streamed call that fails would break the sink for good. What could not be delivered is answered where
  # somebody asked, and else is a dead letter of the receiving node.

  done @1 () -> (count :UInt64, unreadable :UInt64);
  # How many envelopes have been taken since the sink was opened, and how many of them could not be read.

  piece @2 (part :Part) -> stream;
  # A message in parts, one after the other, so that those of other lanes come in between. Never fails either.
}

struct Part @0xb9a6f2ad5c1c3f07 {
  envelope @0 :Envelope;
  # Of the first part: without a body.

  target @1 :Values.Pid;
  sender @2 :Values.Pid;
  # Of the first part, instead of places.

  size @3 :UInt32;
  # Of the first part: bytes of the whole body. Nothing is kept for it before it is there.

  data @4 :Data;
  # 64 KiB at most.

  link @5 :UInt64;
  # Of the first part: as in a Batch.
}

struct Batch @0xefa94cbf941d74d2 {
  pids @0 :List(Values.Pid);
  envelopes @1 :List(Envelope);

  signals @2 :List(Signal);
  # Behind the envelopes: who waits for an end finds what was sent before there.

  link @3 :UInt64;
  # Grows from one link of the writer to its next one. Messages that come over an earlier link than others before them are
  # late, and lost.
}

struct Envelope @0xce37aa57eb5831eb {
  target @0 :UInt32;
  sender @1 :UInt32;
  # Places in `pids`, from 1; 0 is nobody. An answer has no target.

  type @2 :UInt64;
  # The id of the struct that `body` is.

  request @3 :UInt64;
  # Somebody waits for an answer under this number, never used twice on a connection; 0 for nobody.

  answers @4 :UInt64;
  # This is the answer to the request with this number, which the reader has sent; 0 for a message.

  remaining @5 :UInt64;
  # Nanoseconds until nobody waits any more, at the moment of writing; 0 where somebody waits for ever.

  failure @6 :UInt16;
  # Of an answer: why there is none. 0 where `body` is the answer.

  body @7 :Data;
  # One message of Cap'n Proto as it stands in a file.

  headers @8 :List(Directory.Header);
}

struct Signal @0x85efe81387eead84 {
  kind @0 :UInt16;
  # 1 stop, 2 restart, 3 answer when it has ended, 4 that is not wanted any more, 5 watch, 6 unwatch, 7 has ended, 8
  # stop behind the messages that it has. Others are skipped.

  target @1 :UInt32;
  # Whom it is for; a place in `pids`, from 1.

  about @2 :UInt32;
  # 5 and 6: who watches; 7: who has ended; 8: who has sent it, if an actor has.

  linked @3 :Bool;
  # 5 to 7: one crashes with the other.

  reason @4 :UInt16;
  # 7: a number of costar::errc.

  request @5 :UInt64;
  # 1 and 3: answered by an envelope when it has ended, with a Nothing; 0 for nobody. 4: which one.
}
