// SPDX-License-Identifier: MIT

// The one place where Asio's sources are compiled. Every other file sees declarations only, because
// BOOST_ASIO_SEPARATE_COMPILATION is defined for the whole build and for everyone who uses costar.
#include <boost/asio/impl/src.hpp>
