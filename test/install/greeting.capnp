# The schema of a program that uses an installed costar.

@0xe6a1b9d8c7f05342;

using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
using Values = import "/costar/values.capnp";
$Cxx.namespace("consumer");

struct Greeting $Costar.reply("Text") {
  text @0 :Text = "hello from an installed costar";
  from @1 :Values.Pid;
}

interface Greeter {
  greet @0 Name -> (text :Text);
  struct Name { text @0 :Text; }
}
