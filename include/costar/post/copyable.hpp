// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// Looks into a type for parts that cannot be copied. `Outer` are the types that are being looked into.
template <class T, class... Outer>
constexpr bool looks_copyable();

/// Converts to any part of an aggregate.
struct any_part {
    template <class T>
    operator T() const noexcept;
};

/// The same, and says that it may throw when that part cannot be copied. Were it not to convert at all, a
/// part that is an aggregate itself would be made of what converts to its own parts.
template <class... Outer>
struct copyable_part {
    template <class T>
    operator T() const noexcept(looks_copyable<T, Outer...>());
};

template <class Aggregate, class Part, std::size_t... Index>
constexpr bool is_made_of(std::index_sequence<Index...>)
{
    return requires {
        {
            Aggregate
            {
                (static_cast<void>(Index), Part())...
            }
        } noexcept;
    };
}

/// Can each member of an aggregate be copied? Only the first `Count` are looked at.
template <std::size_t Count, class Aggregate, class... Outer>
constexpr bool has_copyable_parts()
{
    if constexpr (Count == 0)
        return true;
    else if constexpr (is_made_of<Aggregate, any_part>(std::make_index_sequence<Count>()))
        return is_made_of<Aggregate, copyable_part<Aggregate, Outer...>>(std::make_index_sequence<Count>());
    else
        return has_copyable_parts<Count - 1, Aggregate, Outer...>();
}

template <class Tuple, class... Outer, std::size_t... Index>
constexpr bool has_copyable_elements(std::index_sequence<Index...>)
{
    return (looks_copyable<std::remove_cv_t<std::tuple_element_t<Index, Tuple>>, Tuple, Outer...>() && ...);
}

template <class T, class... Outer>
constexpr bool looks_copyable()
{
    if constexpr ((std::is_same_v<T, Outer> || ...) || std::is_trivially_copyable_v<T> || !std::is_class_v<T>)
        return std::is_copy_constructible_v<T>;
    else if constexpr (!std::is_copy_constructible_v<T>)
        return false;
    else if constexpr (requires { std::tuple_size<T>::value; })
        return has_copyable_elements<T, Outer...>(std::make_index_sequence<std::tuple_size<T>::value>());
    else if constexpr (requires { typename T::value_type; })
        return looks_copyable<std::remove_cv_t<typename T::value_type>, T, Outer...>();
    else if constexpr (std::is_aggregate_v<T>)
        return has_copyable_parts<16, T, Outer...>();
    else
        return true;
}

}  // namespace costar::machine

namespace costar {

/// Whether a message can be copied, for routers that send it to several actors.
///
/// Some classes say that they can be copied although that does not compile: a `std::vector` of
/// `std::unique_ptr`, and whatever holds one. Those are recognized in standard containers, pairs and tuples,
/// and in the first 16 members of plain structs. Where a compiler says otherwise, make it known:
/// `template <> inline constexpr bool costar::is_copyable<batch> = false;`.
template <class T>
inline constexpr bool is_copyable = machine::looks_copyable<T>();

}  // namespace costar
