// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/tls.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace support {

/// A folder that is there as long as this is.
class folder {
public:
    folder()
    {
        std::string made = std::filesystem::temp_directory_path() / "costar_XXXXXX";
        if (mkdtemp(made.data()) == nullptr)
            throw std::runtime_error("no folder can be made");
        path_ = made;
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
    ~folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::string operator/(const std::string& name) const { return path_ / name; }

    /// As it should be done: the new file takes the place of the old one at once.
    std::string write(const std::string& name, const std::string& text) const
    {
        std::ofstream(path_ / (name + ".new"), std::ios::binary) << text;
        std::filesystem::rename(path_ / (name + ".new"), path_ / name);
        return *this / name;
    }

private:
    std::filesystem::path path_;
};

/// What a certificate says, and when it holds (seconds from now).
struct wanted {
    std::string names = "IP:127.0.0.1";
    long from = -60;
    long until = 100L * 24 * 3600;
    std::string use{};
};

/// A certificate and its key in PEM.
struct paper {
    std::string certificate;
    std::string key;
};

/// Signs certificates.
class authority {
public:
    explicit authority(const std::string& name) : key_(EVP_EC_gen("P-256"))
    {
        made_ = make(name, {.names = {}}, key_, nullptr);
    }
    authority(const authority&) = delete;
    authority& operator=(const authority&) = delete;
    ~authority()
    {
        X509_free(made_);
        EVP_PKEY_free(key_);
    }

    std::string pem() const { return pem_of(made_); }

    paper issue(const std::string& subject, const wanted& what = {}) const
    {
        EVP_PKEY* const key = EVP_EC_gen("P-256");
        X509* const made = make(subject, what, key, made_);
        paper both{pem_of(made), pem_of(key)};
        X509_free(made);
        EVP_PKEY_free(key);
        return both;
    }

private:
    static void extend(X509* certificate, X509* by, int what, const std::string& value)
    {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, by, certificate, nullptr, nullptr, 0);
        X509_EXTENSION* const made = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
        if (made == nullptr)
            throw std::runtime_error("no extension " + value);
        X509_add_ext(certificate, made, -1);
        X509_EXTENSION_free(made);
    }

    X509* make(const std::string& subject, const wanted& what, EVP_PKEY* key, X509* by) const
    {
        static long serial = 0;
        X509* const made = X509_new();
        X509_set_version(made, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(made), what.from);
        X509_gmtime_adj(X509_getm_notAfter(made), what.until);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
            reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
        X509_set_issuer_name(made, X509_get_subject_name(by != nullptr ? by : made));
        X509_set_pubkey(made, key);
        X509* const signer = by != nullptr ? by : made;
        if (by == nullptr)
            extend(made, signer, NID_basic_constraints, "critical,CA:TRUE");
        if (!what.names.empty())
            extend(made, signer, NID_subject_alt_name, what.names);
        if (!what.use.empty())
            extend(made, signer, NID_ext_key_usage, what.use);
        X509_sign(made, key_, EVP_sha256());
        return made;
    }

    template <class Write>
    static std::string text_by(Write write)
    {
        BIO* const to = BIO_new(BIO_s_mem());
        write(to);
        char* text = nullptr;
        const long size = BIO_get_mem_data(to, &text);
        std::string all(text, static_cast<std::size_t>(size));
        BIO_free(to);
        return all;
    }
    static std::string pem_of(X509* what)
    {
        return text_by([&](BIO* to) { PEM_write_bio_X509(to, what); });
    }
    static std::string pem_of(EVP_PKEY* what)
    {
        return text_by(
            [&](BIO* to) { PEM_write_bio_PrivateKey(to, what, nullptr, nullptr, 0, nullptr, nullptr); });
    }

    EVP_PKEY* key_;
    X509* made_ = nullptr;
};

/// What a node is given of its paper, in files `name`.pem, `name`.key and `name`.ca.
inline costar::remote::tls_options in_files(
    const folder& where, const std::string& name, const paper& own, const std::string& authorities)
{
    return {.certificate = where.write(name + ".pem", own.certificate),
        .key = where.write(name + ".key", own.key),
        .authorities = where.write(name + ".ca", authorities)};
}

}  // namespace support
