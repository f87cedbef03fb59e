// SPDX-License-Identifier: MIT

#include "order.hpp"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace costar::capnpc {

namespace {

class sorter {
public:
    explicit sorter(const std::vector<std::unique_ptr<record>>& messages)
    {
        for (const auto& each : messages)
            by_id_.emplace(each->id, each.get());
        for (const auto& each : messages)
            by_name_.emplace(each->full_name(), each.get());
        for (const auto& each : messages)
            add(*each);
    }

    std::vector<record*> sorted()
    {
        for (record* each : all_) {
            std::set<record*> seen;
            each->is_recursive = reaches(each, each, seen);
        }
        for (record* each : all_)
            visit(each);
        std::map<record*, std::size_t> places;
        for (std::size_t i = 0; i < made_.size(); ++i)
            places.emplace(made_[i], i);
        for (const auto* all : {&edges_, &names_})
            for (const auto& [from, edges] : *all)
                for (const edge& next : edges)
                    next.to->is_named_early =
                        next.to->is_named_early || places.at(next.to) >= places.at(from);
        return std::move(made_);
    }

private:
    struct edge {
        record* to;
        bool is_by_value;
    };

    void add(record& each)
    {
        all_.push_back(&each);
        std::vector<edge>& edges = edges_[&each];
        for (member& one : each.members) {
            if (one.group)
                edges.push_back({one.group.get(), true});
            if (one.variant)
                for (alternative& choice : one.variant->alternatives)
                    edges.push_back({choice.body.get(), true});
            if (const auto found = by_id_.find(one.type.target); found != by_id_.end())
                edges.push_back({found->second, one.type.how == form::message});
        }
        // What it only names; that is no way to hold itself.
        std::vector<edge>& names = names_[&each];
        for (const auto& [name, type] : each.aliases)
            if (const auto found = by_name_.find(type); found != by_name_.end())
                names.push_back({found->second, false});
        if (const auto found = by_name_.find(each.reply); found != by_name_.end())
            names.push_back({found->second, false});
        for (member& one : each.members) {
            if (one.group)
                add(*one.group);
            if (one.variant)
                for (alternative& choice : one.variant->alternatives)
                    add(*choice.body);
        }
    }

    bool reaches(record* from, record* wanted, std::set<record*>& seen) const
    {
        if (!seen.insert(from).second)
            return false;
        for (const edge& next : edges_.at(from))
            if (next.to == wanted || reaches(next.to, wanted, seen))
                return true;
        return false;
    }

    /// Depth first; what is held by pointer comes first as well, where that makes no circle.
    void visit(record* each)
    {
        if (!visited_.insert(each).second)
            return;
        for (const auto* edges : {&edges_.at(each), &names_.at(each)}) {
            for (const edge& next : *edges) {
                std::set<record*> seen;
                if (next.is_by_value || !reaches(next.to, each, seen))
                    visit(next.to);
            }
        }
        made_.push_back(each);
    }

    std::map<id_type, record*> by_id_;
    std::map<std::string, record*> by_name_;
    std::map<record*, std::vector<edge>> names_;
    std::vector<record*> all_;
    std::map<record*, std::vector<edge>> edges_;
    std::set<record*> visited_;
    std::vector<record*> made_;
};

}  // namespace

std::vector<record*> in_order(const std::vector<std::unique_ptr<record>>& messages)
{
    return sorter(messages).sorted();
}

}  // namespace costar::capnpc
