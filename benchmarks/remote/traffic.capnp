# What the benchmarks of nodes send.

@0xdd7860ae89dce5d3;

using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
using Values = import "/costar/values.capnp";
$Cxx.namespace("traffic");

struct Ball @0xa600f06640a2ea94 {
  # The small message.
  number @0 :UInt64;
}

struct Note @0xfbd2e02503758d07 {
  # The message of R1: its text is empty.
  text @0 :Text;
}

struct Question @0xa120527c8e402f83 $Costar.reply("UInt64") {
  # Answered with the next number.
  number @0 :UInt64;
  filler @1 :Data;
}

struct Load @0xf78ba0e601927d8e {
  # The large message.
  bytes @0 :Data;
}

struct Count @0xdd5c75176e0b61f5 $Costar.reply("UInt64") {
  # How many messages have come?
}

struct Crowd @0x86dc293de1c7e359 $Costar.reply("Residents") {
  # Who lives there?
}

struct Residents @0xfad9298d02d622d6 {
  all @0 :List(Values.Pid);
}

struct Pace @0xcd6aff7a14db2f4f $Costar.reply("UInt64") {
  # The slow one of many takes so long for each message from now on.
  milliseconds @0 :UInt64;
}
