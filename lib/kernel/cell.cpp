// SPDX-License-Identifier: MIT

#include <costar/kernel/cell.hpp>

#include <costar/kernel/extras.hpp>

namespace costar::machine {

receive_hook::receive_hook(cell& self, bool is_in_task) noexcept
    : cancel_hook(actions), self_(self), is_in_task_(is_in_task)
{}

const hook_actions receive_hook::actions{
    .cancel =
        [](cancel_hook& hook) noexcept {
            cell& self = static_cast<receive_hook&>(hook).self_;
            self.receive_cancelled = true;
            if (self.wanted != nullptr) {
                self.wanted = nullptr;
                self.home().make_ready(self);
            }
        },
    .describe =
        [](const cancel_hook& hook) {
            const message_type* wanted = static_cast<const receive_hook&>(hook).self_.wanted;
            return wanted == nullptr || wanted == &any_type ? std::string("a message")
                                                            : "a message of type " + wanted->name();
        },
};

cold_part::~cold_part()
{
    delete receiving;  // of an actor that is destroyed where it stands
}

cold_part& cell::cold_part_made()
{
    if (cold == nullptr)
        cold = new cold_part;
    return *cold;
}

rare_part& cell::rare_part_made()
{
    cold_part& part = cold_part_made();
    if (part.rare == nullptr)
        part.rare = std::make_unique<rare_part>();
    return *part.rare;
}

extras_part& cell::extras_made()
{
    rare_part& rare = rare_part_made();
    if (rare.extras == nullptr)
        rare.extras = std::make_unique<extras_part>(mailbox_options());
    if (!has_extras) {
        has_extras = true;
        rare.extras->order.begin(*this);
    }
    return *rare.extras;
}

rare_part::rare_part() = default;
rare_part::~rare_part() = default;

}  // namespace costar::machine
