# What the programs of these tests say to each other, in all languages.

@0x8488149389dfeb2c;

using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
$Cxx.namespace("desk");
$Costar.namespace("desk");

struct Hello @0xc2b7092b06fae522 $Costar.reply("Text") {
  # Answered with a text.

  name @0 :Text;
}

struct Hold @0xf8fd7219e5876988 $Costar.reply("Void") {
  # Answered when somebody says release.
}

struct Release @0x9d0b24247b294482 {}

struct Late @0x92f12d1bb430ca0d $Costar.reply("UInt64") {
  # How many answers of the node nobody has waited for.
}

struct Pour @0xc6e8f1a35b2d7094 $Costar.reply("UInt64") {
  # For an actor that has a callback: so many numbers are streamed into it. Answered with their sum, as it says there.

  count @0 :UInt64;
}

struct Cut @0xb3a1c52e7d94f608 {
  # The node ends.
}

interface Desk @0xa4b2d63f8ea50719 {
  # A service that a program offers beside its actors.

  greet @0 (name :Text) -> (text :Text);
  # As Hello.

  push @1 (value :UInt64) -> stream;
  done @2 () -> (count :UInt64, sum :UInt64);

  ring @3 (back :Callback, text :Text) -> (heard :Text);
  # Calls back before it answers.

  fail @4 () -> ();
  # By an exception.

  hold @5 () -> ();
  # Never answered.

  holding @6 () -> (count :UInt64);
  # How many calls of hold are under way, and were not given up.

  enlist @7 (name :Text, back :Callback) -> ();
  # From now on an actor of this name calls back: what Hello says, and Pour.
}

interface Callback @0xb5c3e74a9fb6182a {
  call @0 (text :Text) -> (text :Text);
  push @1 (value :UInt64) -> stream;
  done @2 () -> (sum :UInt64);
}
