# Messages of the tests, each as one release knows it and as the next one does.

@0xc821fff24f08aaf1;

using Cxx = import "/capnp/c++.capnp";
using Values = import "/costar/values.capnp";
$Cxx.namespace("travel");

struct Greeting @0xabcc815cecf75e6b {
  name @0 :Text;
  times @1 :UInt32 = 1;
}

struct NewGreeting @0xb52e61767acc4a41 {
  name @0 :Text;
  times @1 :UInt32 = 1;
  language @2 :Text = "en";
  who @3 :Values.Pid;
}

struct Page @0xc2ac796e07a8a82d {
  title @0 :Text;
  lines @1 :List(Text);
  inner @2 :Page;
  nothing @3 :List(Void);
}
