// SPDX-License-Identifier: MIT

#pragma once

#include "request.hpp"

#include <string>
#include <vector>

namespace costar::capnpc {

/// Writes header and source of a schema's file into the current folder. Nothing is written where something is
/// refused: then the reasons are given.
std::vector<std::string> write_file(
    const request& from, capnp::schema::CodeGeneratorRequest::RequestedFile::Reader file);

}  // namespace costar::capnpc
