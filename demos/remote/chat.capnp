# What is said in a chat room, and about it. Who speaks is known by the sender of a message.

@0xccfe078f88a9ef45;

using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
$Cxx.namespace("chat");

# To the room.

struct Join @0xd67ff57d2baa5982 $Costar.reply("Entry") {
  # The sender wants to take part; the room watches it from then on.

  nick @0 :Text;
}

struct Entry @0xb987f20bf3ecc519 {
  # What has become of a wish to join.

  refusal @0 :Text;
  # Why not; empty for one who is in.

  others @1 :List(Text);
  # Who was there already.
}

struct Say @0xa98e1036f714e5be $Costar.reply("Text") {
  # Answered when all have been told, with why not where they have not.

  text @0 :Text;
}

struct Who @0xcfdb249d90befc5e $Costar.reply("Present") {}

struct Present @0xff0dc5aa5f2e9c15 {
  nicks @0 :List(Text);
}

struct Leave @0xfc96bf7c1e598eb8 $Costar.reply("Void") {
  reason @0 :Text;
  # Empty for somebody who just goes.
}

# To those who are in it.

struct Said @0x93cb866a315151dd {
  nick @0 :Text;
  text @1 :Text;
}

struct Came @0xfdc37375c8bd6aea {
  nick @0 :Text;
}

struct Left @0xb68f4c081bbcbadb {
  nick @0 :Text;
  reason @1 :Text;
}

struct Gone @0xbe24fae9c6df4775 {
  # It has ended, or is out of reach, without a word.

  nick @0 :Text;
}
