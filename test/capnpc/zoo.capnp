# One of everything that capnpc-costar makes messages of.

@0xd5c4a1b0e3f29786;

using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
using Values = import "/costar/values.capnp";
using Other = import "other.capnp";
$Cxx.namespace("proto::zoo");
$Costar.namespace("zoo");

enum Color {
  # What paint is.
  red @0;
  darkGreen @1;
  # As of firs.
  default @2;
}

struct Numbers {
  # Every number there is.
  #
  # A second paragraph, which is so long that it does not fit into one line of the made code and has to be broken there, once.
  nothing @0 :Void;
  truth @1 :Bool;
  yes @2 :Bool = true;
  i8 @3 :Int8 = -128;
  i16 @4 :Int16 = -32768;
  i32 @5 :Int32 = -2147483648;
  i64 @6 :Int64 = -9223372036854775808;
  u8 @7 :UInt8 = 255;
  u16 @8 :UInt16 = 65535;
  u32 @9 :UInt32 = 4294967295;
  u64 @10 :UInt64 = 18446744073709551615;
  f32 @11 :Float32 = 0.1;
  f64 @12 :Float64 = 1e300;
  endless @13 :Float64 = inf;
  low @14 :Float32 = -inf;
  none @15 :Float64 = nan;
  paint @16 :Color = darkGreen;
  plain @17 :Color;
}

struct Texts {
  name @0 :Text;
  said @1 :Text = "say \"hé\" ??= \\\n";
  bytes @2 :Data;
  magic @3 :Data = 0x"ca fe 00";
  long @4 :Text = "a text that is so long that it does not fit into any line of the made code, where texts are not broken, but left";
}

struct Lists {
  nothings @0 :List(Void);
  flags @1 :List(Bool);
  numbers @2 :List(Int32);
  small @3 :List(UInt8);
  reals @4 :List(Float64);
  names @5 :List(Text);
  blobs @6 :List(Data);
  colors @7 :List(Color);
  points @8 :List(Point);
  matrix @9 :List(List(Int16));
  deep @10 :List(List(List(Point)));
  primes @11 :List(UInt16) = [2, 3, 5];
  corners @12 :List(Point) = [(x = 1, y = 2), (x = 3)];
}

struct Point {
  x @0 :Int32;
  y @1 :Int32;
}

struct Nested {
  point @0 :Point;
  start @1 :Point = (x = 7, y = 8);
  inner @2 :Inner;
  kind @3 :Kind = big;
  spot :group {
    # Where it is.
    lat @4 :Float64;
    lon @5 :Float64 = 3;
    tag :group {
      text @6 :Text;
      marks @7 :List(Int8) = [1];
    }
  }
  other @8 :Other.Stranger;

  struct Inner {
    deepest @0 :Deepest;
    struct Deepest {
      value @0 :UInt32 = 9;
    }
  }
  enum Kind {
    small @0;
    big @1;
  }
  const answer :Int32 = 42;
  const home :Point = (x = 1, y = 1);
}

struct Shape {
  id @0 :UInt32;
  union {
    circle @1 :Float64 = 1.5;
    square @2 :Float64;
    # As wide as high.
    nothing @3 :Void;
    name @4 :Text;
    blob @5 :Data;
    numbers @6 :List(UInt32) = [4, 5];
    point @7 :Point = (x = 11);
    rect :group {
      width @8 :Float64;
      height @9 :Float64;
      label :union {
        none @10 :Void;
        text @11 :Text;
      }
    }
    color @12 :Color;
    either :union {
      left @13 :Int8;
      right @14 :Int8;
    }
  }
  area :union {
    unknown @15 :Void;
    exact @16 :Float64;
  }
}

struct Tree {
  value @0 :Int64;
  left @1 :Tree;
  right @2 :Tree;
}

struct Expression {
  union {
    number @0 :Float64;
    sum @1 :List(Expression);
    negated @2 :Expression;
    call :group {
      name @3 :Text;
      arguments @4 :List(Argument);
    }
  }
  struct Argument {
    name @0 :Text;
    value @1 :Expression;
  }
}

struct Reference {
  who @0 :Values.Pid;
  all @1 :List(Values.Pid);
  inner @2 :Holder;
  union {
    none @3 :Void;
    one @4 :Values.Pid;
    held :group {
      pid @5 :Values.Pid;
    }
  }
  struct Holder {
    pid @0 :Values.Pid;
    others @1 :List(Holder);
  }
}

struct PhoneBook {
  # Names that are taken, or mean something in C++.
  class @0 :Text;
  phoneNumber @1 :PhoneNumber;
  value @2 :Int32 $Cxx.name("amount");
  new @3 :Int32 $Costar.name("fresh");
  portOfHTTPServer @4 :UInt16;

  struct PhoneNumber {
    type @0 :Type;
    enum Type { mobile @0; home @1; }
  }
}

struct Empty {}

struct Same {
  # Fields that are called as their struct, or as a type that is used beside them.
  same @0 :Text;
  next @1 :Same;
  point @2 :Point;
  points @3 :List(Point);
}

struct Order $Costar.reply("Receipt") {
  customer @0 :Text $Costar.key;
  items @1 :List(Item);
  struct Item {
    name @0 :Text;
    count @1 :UInt32;
  }
  struct Receipt {
    number @0 :UInt64;
  }
}
struct Count $Costar.reply("UInt64") {
  what @0 :Color $Costar.key;
}
struct Stop $Costar.reply("Void") {}
struct Find $Costar.reply("Pid") {
  number @0 :UInt32 $Costar.key;
}
struct Next $Costar.reply("Order.Receipt") {}

struct Whatever $Costar.local {
  # Cannot be a message, and is none.
  anything @0 :AnyPointer;
  struct Part { x @0 :Int32; }
}

struct ALongNameOfAStructThatMakesLinesLong {
  theFirstFieldWithAQuiteLongName @0 :List(List(ALongNameOfAStructThatMakesLinesLong));
  theSecondFieldWithAQuiteLongName @1 :ALongNameOfAStructThatMakesLinesLong;
  theThirdFieldWithAQuiteLongName @2 :List(Text);
  union {
    theFirstChoiceWithAQuiteLongName @3 :List(ALongNameOfAStructThatMakesLinesLong);
    theSecondChoiceWithAQuiteLongName @4 :Text;
    theThirdChoiceWithAQuiteLongName @5 :ALongNameOfAStructThatMakesLinesLong;
    theFourthChoiceWithAQuiteLongName @6 :Color;
    theFifthChoiceWithAQuiteLongName :group {
      oneFieldOfItWithALongName @7 :List(Values.Pid);
    }
  }
}

const pi :Float64 = 3.25;
const great :UInt64 = 18446744073709551615;
const hello :Text = "hello";
const zero :Text = "a\x00b";
const favourite :Color = darkGreen;
const primes :List(Int32) = [2, 3, 5];
const raw :Data = 0x"01 02";
const middle :Point = (x = 5, y = 6);
