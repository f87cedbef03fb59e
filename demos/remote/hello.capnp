# What the two nodes of demo 31 say to each other.

@0xaac0f4750ff3683e;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("demo");

struct Hello @0xb75885fcefeeb103 {
  name @0 :Text;
}
