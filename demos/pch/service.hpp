// SPDX-License-Identifier: MIT

// What the files of the service include, compiled once. Each includes what it needs all the same.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <fmt/format.h>

#include <string>
