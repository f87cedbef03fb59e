# What demos 29 and 30 offer.

@0xb1a4f0b7d3f2c6a9;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("demo");

interface Bank {
  # Gives the new balance; fails when the account would be overdrawn.
  deposit @0 (account :Text, cents :Int64) -> (balance :Int64);

  # From now on the watcher is told of each change that this client makes, before the client has its answer.
  watch @1 (to :Watcher) -> ();

  interface Watcher {
    changed @0 (balance :Int64) -> ();
  }
}
