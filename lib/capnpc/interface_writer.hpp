// SPDX-License-Identifier: MIT

#pragma once

#include "code.hpp"
#include "interface_model.hpp"

#include <string>
#include <vector>

namespace costar::capnpc {

/// Writes clients and servers of interfaces.
class interface_writer {
public:
    interface_writer(const interface_model& model, code& declared, code& defined)
        : model_(model), declared_(declared), defined_(defined)
    {}

    void write();

private:
    void results();
    void client();
    void server();
    void client_method(const method& of);
    void server_method(const method& of);
    void converted(const method& of);
    void answered(const method& of, const std::vector<std::string>& arguments);
    void read_parameters(const method& of);

    std::string full_name(std::string_view suffix) const;
    std::string brief(std::string_view type, const method& in) const;
    std::vector<std::string> parameters(const method& of, bool is_brief, bool are_owned) const;

    const interface_model& model_;
    code& declared_;
    code& defined_;
};

}  // namespace costar::capnpc
