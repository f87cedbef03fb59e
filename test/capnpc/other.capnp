# A file that another one imports, and without a namespace for costar alone.

@0xb86a3e1d2c4f5071;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("proto");

enum Mood {
  calm @0;
  merry @1;
}

struct Stranger {
  text @0 :Text = "who";
}
