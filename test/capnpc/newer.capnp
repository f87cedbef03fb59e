# What older.capnp has become.

@0xe1b7c4f2a5d09387;

using Cxx = import "/capnp/c++.capnp";
using Other = import "other.capnp";
$Cxx.namespace("proto::newer");
$import "/costar/costar.capnp".namespace("newer");

enum Level {
  low @0;
  high @1;
  highest @2;
}

struct News {
  title @0 :Text;
  level @1 :Level;
  place @2 :Place;
  tags @3 :List(Tag);
  author @7 :Text = "nobody";
  extra @8 :Place;
  union {
    none @4 :Void;
    text @5 :Text;
    picture @6 :Data;
  }
}

struct Place {
  x @0 :Int32;
  y @1 :Int32 = 3;
}

struct Tag {
  name @0 :Text;
  weight @1 :Float64 = 1;
  more @2 :List(Text);
}

const mood :Other.Mood = merry;
# Nothing else here is of the other file.
