# What the nodes of these demos say to each other.

@0xaac0f4750ff3683e;

using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
$Cxx.namespace("demo");

struct Hello @0xb75885fcefeeb103 $Costar.reply("Text") {
  # Answered with a text.

  name @0 :Text;
}
