// SPDX-License-Identifier: MIT

// What a program must be compiled with to use costar; every public header includes this one. What is not met
// ends the compilation with a sentence, or, where library and program differ, the link with a symbol whose
// name says what the library was not built with.
#pragma once

#include <boost/version.hpp>

#if defined(__clang__)
#if __clang_major__ < 17
#error "costar needs Clang 17 or newer: before 17 it moves writes of an awaiter past the suspension."
#endif
#elif defined(__GNUC__)
#if __GNUC__ < 13
#error "costar needs GCC 13 or newer: before 13 it destroys temporaries in co_await expressions twice."
#endif
#else
#error "costar is built with GCC 13 or newer, or Clang 17 or newer; other compilers are not supported."
#endif

#if !defined(__cpp_impl_coroutine)
#error "costar needs C++20: compile with -std=c++20 or newer."
#endif
#if !defined(__cpp_exceptions)
#error "costar needs exceptions: compile without -fno-exceptions."
#endif
#if !defined(__cpp_rtti)
#error "costar needs run-time type information: compile without -fno-rtti."
#endif
#if BOOST_VERSION < 108100
#error "costar needs Boost 1.81 or newer: older ones lack parts of Asio that it builds on."
#endif
#if !defined(BOOST_ASIO_SEPARATE_COMPILATION)
#error "costar compiles Asio once, into its library: define BOOST_ASIO_SEPARATE_COMPILATION everywhere."
#endif

/// Said by every public header, once it is known that it can be used.
#define COSTAR_REQUIREMENTS_MET 1

#define COSTAR_CORE_JOIN_TEXT(one, other) one##other
#define COSTAR_CORE_JOIN(one, other) COSTAR_CORE_JOIN_TEXT(one, other)
#define COSTAR_CORE_BOOST COSTAR_CORE_JOIN(boost_, BOOST_VERSION)

#if defined(__SANITIZE_ADDRESS__)
#define COSTAR_CORE_HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COSTAR_CORE_HAS_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef COSTAR_CORE_HAS_ADDRESS_SANITIZER
#define COSTAR_CORE_SANITIZER address_sanitizer
#else
#define COSTAR_CORE_SANITIZER no_address_sanitizer
#endif

#ifdef _GLIBCXX_DEBUG
#define COSTAR_CORE_CONTAINERS debug_containers
#else
#define COSTAR_CORE_CONTAINERS plain_containers
#endif

#if defined(BOOST_ASIO_HAS_IO_URING) || defined(BOOST_ASIO_DISABLE_EPOLL)
#define COSTAR_CORE_REACTOR asio_without_epoll
#else
#define COSTAR_CORE_REACTOR asio_with_epoll
#endif

#ifdef BOOST_ASIO_ENABLE_HANDLER_TRACKING
#define COSTAR_CORE_TRACKING asio_with_handler_tracking
#else
#define COSTAR_CORE_TRACKING asio_without_handler_tracking
#endif

#ifdef BOOST_ASIO_DISABLE_THREADS
#define COSTAR_CORE_THREADS asio_without_threads
#else
#define COSTAR_CORE_THREADS asio_with_threads
#endif

/// What the library was built with. Its sizes and layouts depend on each, so a program that was compiled with
/// something else does not link.
namespace costar::library_built_with {

extern const char COSTAR_CORE_BOOST;
extern const char COSTAR_CORE_SANITIZER;
extern const char COSTAR_CORE_CONTAINERS;
extern const char COSTAR_CORE_REACTOR;
extern const char COSTAR_CORE_TRACKING;
extern const char COSTAR_CORE_THREADS;

/// Asks the linker for each of them.
[[gnu::used]] inline const char* const wanted[] = {&COSTAR_CORE_BOOST, &COSTAR_CORE_SANITIZER,
    &COSTAR_CORE_CONTAINERS, &COSTAR_CORE_REACTOR, &COSTAR_CORE_TRACKING, &COSTAR_CORE_THREADS};

}  // namespace costar::library_built_with
