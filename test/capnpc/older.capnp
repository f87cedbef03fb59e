# A schema before it grew; newer.capnp is the same with more.

@0xe1b7c4f2a5d09386;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("proto::older");
$import "/costar/costar.capnp".namespace("older");

enum Level {
  low @0;
  high @1;
}

struct News {
  title @0 :Text;
  level @1 :Level;
  place @2 :Place;
  tags @3 :List(Tag);
  union {
    none @4 :Void;
    text @5 :Text;
  }
}

struct Place {
  x @0 :Int32;
}

struct Tag {
  name @0 :Text;
}
