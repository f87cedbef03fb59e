// SPDX-License-Identifier: MIT

// The part of Asio that wraps OpenSSL, compiled once. In a file of its own, so that a program that compiles
// it too does not meet it twice.

#include <boost/asio/ssl/impl/src.hpp>
