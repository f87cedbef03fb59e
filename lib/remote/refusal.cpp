// SPDX-License-Identifier: MIT

#include <costar/remote/refusal.hpp>

#include <fmt/format.h>

namespace costar::remote {

std::string text_of(refusal why)
{
    switch (why) {
    case refusal::none:
        return "welcome";
    case refusal::no_common_protocol:
        return "no protocol in common";
    case refusal::name_taken:
        return "another living node has the name";
    case refusal::not_who_was_expected:
        return "another node was expected there";
    case refusal::unknown_peer:
        return "unknown nodes are not let in";
    case refusal::is_itself:
        return "it is the node itself";
    case refusal::malformed:
        return "the greeting is malformed";
    case refusal::too_many:
        return "too many nodes are known";
    case refusal::name_not_proven:
        return "its certificate is not for its name";
    case refusal::not_trusted:
        return "the handshake of TLS has failed";
    case refusal::too_many_connections:
        return "there are too many connections";
    }
    return fmt::format("reason {}", static_cast<unsigned>(why));
}

}  // namespace costar::remote
