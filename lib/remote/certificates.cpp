// SPDX-License-Identifier: MIT

#include "certificates.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

#include <fmt/format.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <utility>

namespace costar::remote {

namespace {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* made) const noexcept
    {
        Free(made);
    }
};
using certificate = std::unique_ptr<X509, freed_by<X509_free>>;
using private_key = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using bytes = std::unique_ptr<BIO, freed_by<BIO_free>>;

[[noreturn]] void refuse(const std::string& file, const std::string& why)
{
    throw std::invalid_argument(fmt::format("TLS: {} {}", file, why));
}

/// What OpenSSL says of its last failure.
std::string last_failure()
{
    const char* text = ERR_reason_error_string(ERR_peek_last_error());
    std::string said = text != nullptr ? text : "for a reason that OpenSSL does not name";
    ERR_clear_error();
    return said;
}

std::string content_of(const std::string& file)
{
    // An iterator would throw where a folder has the name of a file.
    std::ifstream from(file, std::ios::binary);
    std::string all;
    std::array<char, 4096> part{};
    while (from.read(part.data(), part.size()) || from.gcount() > 0)
        all.append(part.data(), static_cast<std::size_t>(from.gcount()));
    if (from.bad() || !from.is_open())
        refuse(file.empty() ? "\"\"" : file, fmt::format("cannot be read: {}", std::strerror(errno)));
    return all;
}

/// A key with a password is not asked for, but refused.
int no_password(char*, int, int, void*)
{
    return -1;
}

std::vector<certificate> certificates_in(const std::string& file)
{
    const std::string text = content_of(file);
    const bytes from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    std::vector<certificate> all;
    ERR_clear_error();
    while (X509* next = PEM_read_bio_X509(from.get(), nullptr, &no_password, nullptr))
        all.emplace_back(next);
    const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (all.empty())
        refuse(file, "holds no certificate in PEM");
    if (!is_at_end)
        refuse(file, "holds a certificate that cannot be read: " + last_failure());
    ERR_clear_error();
    return all;
}

private_key key_in(const std::string& file)
{
    const std::string text = content_of(file);
    const bytes from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    private_key found(PEM_read_bio_PrivateKey(from.get(), nullptr, &no_password, nullptr));
    ERR_clear_error();
    if (found == nullptr)
        refuse(file, "holds no key in PEM, or one with a password");
    return found;
}

certificates::time time_of(const ASN1_TIME* from)
{
    std::tm parts{};
    ASN1_TIME_to_tm(from, &parts);
    return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string subject_of(const X509* of)
{
    const bytes to(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(to.get(), X509_get_subject_name(of), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
    char* text = nullptr;
    const long size = BIO_get_mem_data(to.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

void check_own(const std::string& file, X509* own, int purpose)
{
    if (X509_cmp_time(X509_get0_notBefore(own), nullptr) > 0)
        refuse(file, fmt::format("is not valid yet: its certificate is that of {}", subject_of(own)));
    if (X509_cmp_time(X509_get0_notAfter(own), nullptr) < 0)
        refuse(file, fmt::format("has expired: its certificate is that of {}", subject_of(own)));
    if (X509_check_purpose(own, purpose, 0) != 1)
        refuse(file,
            purpose == X509_PURPOSE_SSL_SERVER
                ? "is not for servers: a node that is dialled shows it"
                : "is not for clients: a node that dials shows it, unless it has a `dialling_certificate`");
}

/// A context that shows a certificate, and believes who is signed by one of the authorities.
asio::ssl::context context_with(const std::string& file, const std::string& key_file,
    const std::vector<certificate>& authorities, int purpose, std::vector<certificates::term>& terms)
{
    asio::ssl::context made(asio::ssl::context::tls);
    SSL_CTX* const raw = made.native_handle();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_options(raw,
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_mode(raw, SSL_MODE_NO_AUTO_CHAIN);  // what stands in the file is shown, and nothing else
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    for (const certificate& each : authorities)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(raw), each.get());

    const std::vector<certificate> chain = certificates_in(file);
    X509* const own = chain.front().get();
    check_own(file, own, purpose);
    if (SSL_CTX_use_certificate(raw, own) != 1)
        refuse(file, "is not accepted by OpenSSL: " + last_failure());
    for (std::size_t i = 1; i < chain.size(); ++i)
        SSL_CTX_add1_chain_cert(raw, chain[i].get());
    const private_key key = key_in(key_file);
    if (X509_check_private_key(own, key.get()) != 1)
        refuse(key_file, fmt::format("is not the key to the certificate in {}", file));
    if (SSL_CTX_use_PrivateKey(raw, key.get()) != 1)
        refuse(key_file, "is not accepted by OpenSSL: " + last_failure());
    ERR_clear_error();
    for (const certificate& each : chain)
        terms.push_back({file, subject_of(each.get()), time_of(X509_get0_notAfter(each.get()))});
    return made;
}

const std::string& or_else(const std::string& one, const std::string& other)
{
    return one.empty() ? other : one;
}

asio::ssl::context make_dialling(const tls_options& options, const std::vector<certificate>& authorities,
    std::vector<certificates::term>& terms)
{
    std::vector<certificates::term> others;
    asio::ssl::context made = context_with(or_else(options.dialling_certificate, options.certificate),
        or_else(options.dialling_key, options.key), authorities, X509_PURPOSE_SSL_CLIENT, others);
    if (!options.dialling_certificate.empty())
        terms.insert(terms.end(), others.begin(), others.end());
    return made;
}

std::string text_in(const ASN1_STRING* from)
{
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(from)),
        static_cast<std::size_t>(ASN1_STRING_length(from))};
}

std::string ip_in(const ASN1_STRING* from)
{
    const std::string raw = text_in(from);
    if (raw.size() == 4) {
        asio::ip::address_v4::bytes_type all{};
        std::memcpy(all.data(), raw.data(), all.size());
        return asio::ip::address_v4(all).to_string();
    }
    if (raw.size() == 16) {
        asio::ip::address_v6::bytes_type all{};
        std::memcpy(all.data(), raw.data(), all.size());
        return asio::ip::address_v6(all).to_string();
    }
    return {};
}

std::string name_in(const GENERAL_NAME& from)
{
    std::string name;
    if (from.type == GEN_DNS) {
        name = text_in(from.d.dNSName);
        for (char& each : name)
            if (each >= 'A' && each <= 'Z')
                each = static_cast<char>(each - 'A' + 'a');
    } else if (from.type == GEN_URI) {
        name = text_in(from.d.uniformResourceIdentifier);
    } else if (from.type == GEN_IPADD) {
        name = ip_in(from.d.iPAddress);
    }
    // One for many names proves none of them.
    return name.find_first_of(std::string_view("\0*", 2)) == std::string::npos ? name : std::string();
}

}  // namespace

certificates::certificates(const tls_options& options)
    : serving_(asio::ssl::context::tls), dialling_(asio::ssl::context::tls)
{
    const std::vector<certificate> authorities = certificates_in(options.authorities);
    serving_ = context_with(options.certificate, options.key, authorities, X509_PURPOSE_SSL_SERVER, terms_);
    dialling_ = make_dialling(options, authorities, terms_);
    for (const certificate& each : authorities)
        terms_.push_back(
            {options.authorities, subject_of(each.get()), time_of(X509_get0_notAfter(each.get()))});
}

std::string stamp_of(const tls_options& options)
{
    std::string all;
    for (const std::string* file : {&options.certificate, &options.key, &options.authorities,
             &options.dialling_certificate, &options.dialling_key}) {
        struct stat found{};
        if (!file->empty() && ::stat(file->c_str(), &found) == 0)
            all += fmt::format("{} {} {} {}.{} {}.{}", found.st_dev, found.st_ino, found.st_size,
                found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_ctim.tv_sec, found.st_ctim.tv_nsec);
        all += '\n';
    }
    return all;
}

std::vector<std::string> names_of_peer(SSL* connection)
{
    std::vector<std::string> all;
    const certificate shown(SSL_get1_peer_certificate(connection));
    if (shown == nullptr)
        return all;
    const std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(shown.get(), NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i)
        if (std::string name = name_in(*sk_GENERAL_NAME_value(names.get(), i)); !name.empty())
            all.push_back(std::move(name));
    return all;
}

void expect_host(SSL* connection, std::string host)
{
    X509_VERIFY_PARAM* const checked = SSL_get0_param(connection);
    X509_VERIFY_PARAM_set_hostflags(
        checked, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    host.resize(std::min(host.size(), host.find('%')));  // which network is meant
    if (host.ends_with('.'))
        host.pop_back();
    if (host.empty())  // nothing would be looked at
        throw std::invalid_argument("a host without a name cannot be checked");
    if (X509_VERIFY_PARAM_set1_ip_asc(checked, host.c_str()) != 1 &&
        X509_VERIFY_PARAM_set1_host(checked, host.data(), host.size()) != 1)
        throw std::invalid_argument(fmt::format("\"{}\" is no name of a host", host));
}

void tell_host(SSL* connection, const std::string& host)
{
    error_code is_name;
    asio::ip::make_address(host, is_name);
    if (is_name)
        SSL_set_tlsext_host_name(connection, host.c_str());
}

bool is_alert(const error_code& failure)
{
    return failure.category() == asio::error::get_ssl_category() &&
        ERR_GET_REASON(static_cast<unsigned long>(failure.value())) >= SSL_AD_REASON_OFFSET;
}

std::string why_failed(
    SSL* connection, const error_code& failure, const std::string& peer, const std::string& host)
{
    const bool is_tls = failure.category() == asio::error::get_ssl_category();
    const int reason = is_tls ? ERR_GET_REASON(static_cast<unsigned long>(failure.value())) : 0;
    const long verdict = SSL_get_verify_result(connection);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
        if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
            return fmt::format("the certificate of {} is not accepted: it is not for {}", peer, host);
        return fmt::format(
            "the certificate of {} is not accepted: {}", peer, X509_verify_cert_error_string(verdict));
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return fmt::format("{} shows no certificate", peer);
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
        return fmt::format("{} does not speak TLS", peer);
    if (is_alert(failure))
        return fmt::format("{} refuses the handshake of TLS: {}", peer, failure.message());
    if (!is_tls && !host.empty())
        return fmt::format(
            "{} has ended the handshake without a word ({}): does it speak TLS?", peer, failure.message());
    return fmt::format("the handshake of TLS with {} has failed: {}", peer, failure.message());
}

}  // namespace costar::remote
