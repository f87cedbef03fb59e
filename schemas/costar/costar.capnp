# What a schema says to capnpc-costar, the compiler plugin that makes C++ messages of its structs.

@0x9c4b45ed48df5b57;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("costar::schema");

annotation namespace @0xf0faf882e5736164 (file) :Text;
# The C++ namespace of costar's types, "my::space". Without it they stand in that of `$Cxx.namespace`.

annotation name @0xc6fcb37fe2f4fb78 (struct, enum, interface, const, field, group, union, enumerant, method, param) :Text;
# What costar's C++ calls it, where the name in snake_case is taken.

annotation local @0xd7eb756e829297a5 (file, struct, interface, const) :Void;
# No C++ is made of it. For structs that cannot be messages, and interfaces that are used by Cap'n Proto's own
# classes; for all those of a file.

annotation reply @0x81dc3d0bfeeebb6e (struct) :Text;
# The struct is a request, and this is its answer: the name of a struct as it would be written beside this one, or
# Void, Bool, Int64, UInt64, Float64, Text, Data or Pid.

annotation key @0xfc07c355c6badc54 (field) :Void;
# What a router with a consistent hash goes by: an integer, an enum or a text.
