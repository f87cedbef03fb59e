// SPDX-License-Identifier: MIT

#include <costar/actor/birth_place.hpp>

#include <costar/actor/context.hpp>
#include <costar/kernel/extras.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace costar::machine {

birth_place::birth_place(commons& shared, cell* parent, spawn_options options, bool repeatable)
    : parent_cell_(parent), options_(std::move(options))
{
    const bool is_childless = parent != nullptr &&
        (parent->state == life::closing ||
            (parent->rare() != nullptr && parent->rare()->childless != nullptr));
    if (is_childless || shared.closing.load(std::memory_order_relaxed))
        refuse(shared);
    inherit(shared, parent);
    if (options_.restart.limit != 0 && !repeatable)
        throw std::invalid_argument("an actor that may be restarted needs arguments that can be copied");
    const std::size_t count = shared.stations.size();
    strand_context* current = strand_context::current();
    station* here = nullptr;
    if (current != nullptr && current->index() < count &&
        &shared.stations[current->index()]->home() == current)
        here = shared.stations[current->index()];
    if (options_.placement == placement::chosen) {
        if (options_.strand >= count)
            throw std::invalid_argument(
                fmt::format("there is no strand {}: the engine has {}", options_.strand, count));
        target_ = shared.stations[options_.strand];
    } else if (options_.placement == placement::beside && here != nullptr) {
        target_ = here;
    } else {
        target_ = shared.stations[shared.next_strand.fetch_add(1, std::memory_order_relaxed) % count];
    }
    is_here_ = target_ == here;
    if (parent != nullptr)
        parent_ = station::of(*parent).pid_of(*parent);
}

void birth_place::inherit(commons& shared, cell* parent)
{
    supervisor_ = parent == nullptr ? shared.guardian : nullptr;
    std::vector<std::shared_ptr<middleware>> chain = shared.chain;
    if (const rare_part* rare = parent != nullptr ? parent->rare() : nullptr) {
        supervisor_ = rare->of_children;
        if (rare->extras != nullptr)
            for (const auto& each : rare->extras->chain) {
                each->spawning(context_of(*parent), options_);
                if (each->inherited() && std::find(chain.begin(), chain.end(), each) == chain.end())
                    chain.push_back(each);
            }
    }
    if (std::find(options_.middleware.begin(), options_.middleware.end(), nullptr) !=
        options_.middleware.end())
        throw std::invalid_argument("a middleware is null");
    if (!chain.empty())
        options_.middleware.insert(options_.middleware.begin(), chain.begin(), chain.end());
}

void birth_place::refuse(const commons& shared)
{
    if (shared.closing.load(std::memory_order_relaxed))
        throw error(errc::engine_stopped);
    throw error(errc::cancelled);  // the parent's children are being stopped, nobody would stop this one
}

void birth_place::announce(pid child)
{
    if (parent_cell_ != nullptr)
        station::of(*parent_cell_).add_distant_child(*parent_cell_, child);
}

void birth_place::renounce(pid child) noexcept
{
    if (parent_cell_ != nullptr)
        station::of(*parent_cell_).remove_distant_child(*parent_cell_, child);
    target_->give_back(child);
}

}  // namespace costar::machine
