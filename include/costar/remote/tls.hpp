// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/transport.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace costar::remote {

/// What a node shows and whom it believes. Files are PEM; several certificates stand one behind the other.
struct tls_options {
    /// Its certificate, behind which come those between it and its authority, and the key to it, without a
    /// password.
    std::string certificate{};
    std::string key{};

    /// The authorities whose certificates are believed; several at once while one takes the place of another.
    std::string authorities{};

    /// What it shows where it dials, if that is another one, and the key to that: authorities may sign for
    /// servers or clients alone.
    std::string dialling_certificate{};
    std::string dialling_key{};

    /// Has the certificate of a node that is dialled to be for the host that is dialled? Where hosts have no
    /// names and other addresses each day, names of nodes and `node_options::allowed` say who is there.
    bool checks_host = true;

    /// How long before a certificate expires that is told, once a day; 0 to tell when it has.
    std::chrono::nanoseconds expiry_warning = std::chrono::hours(24 * 30);

    /// How often a node looks whether the files have changed and certificates expire; it looks for each new
    /// connection too, and with 0 only then.
    std::chrono::nanoseconds look_interval = std::chrono::minutes(1);
};

/// TCP with TLS, 1.3 where both sides have it and 1.2 else, in which both sides show a certificate.
///
/// A certificate is believed that one of the authorities has signed, now valid, and for its use (server or
/// client, where it says so). Who dials checks that it is for the host that was dialled, a name or an IP
/// address; and a node that says its name must have it among the names of its certificate: all by
/// subjectAltName (DNS, IP address, URI), nothing by the common name. A name with an asterisk is for hosts
/// that are dialled, and proves no name of a node.
///
/// Files that change are read again for the next connection; what stands in them then must fit as at the
/// start, else what stood in them before goes on. Links that are there stay. `certificate_notice` tells of
/// both, and of what expires. Nothing is resumed from former connections.
///
/// Thread safety: any thread; one may serve several nodes. Errors: throws `std::invalid_argument` with a
/// sentence that names the file: one that is not there or cannot be read, a key that is not to its
/// certificate, a certificate that has expired, is not yet valid, or not for its use; and for a
/// `dialling_certificate` without its key or the reverse, and times below 0. Cost: a handshake takes
/// about two milliseconds of processor time; a few system calls for each look at the files.
std::shared_ptr<transport> tls_transport(tls_options options);

}  // namespace costar::remote
