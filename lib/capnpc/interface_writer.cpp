// SPDX-License-Identifier: MIT

#include "interface_writer.hpp"

#include "names.hpp"
#include "statements.hpp"

#include <fmt/format.h>

namespace costar::capnpc {

namespace {

/// As a client is given it: by value where that costs nothing.
std::string passed(const made_type& type)
{
    switch (type.how) {
    case form::number:
    case form::enumeration:
    case form::capability:
        return type.cxx;
    default:
        return fmt::format("const {}&", type.cxx);
    }
}

}  // namespace

void interface_writer::write()
{
    results();
    client();
    server();
}

std::string interface_writer::full_name(std::string_view suffix) const
{
    return joined(model_.scope, model_.name) + std::string(suffix);
}

std::string interface_writer::brief(std::string_view type, const method& in) const
{
    // Methods and parameters hide types that have their names.
    std::vector<std::string> taken;
    for (const method& each : model_.methods)
        taken.push_back(each.name);
    for (const member& each : in.asked)
        taken.push_back(each.name);
    return shortened(type, model_.scope, taken);
}

std::vector<std::string> interface_writer::parameters(const method& of, bool is_brief, bool are_owned) const
{
    std::vector<std::string> made;
    for (const member& each : of.asked) {
        const std::string whole = are_owned ? each.type.cxx : passed(each.type);
        made.push_back(fmt::format("{} {}", is_brief ? brief(whole, of) : whole, each.name));
    }
    return made;
}

void interface_writer::results()
{
    for (const method& each : model_.methods) {
        if (!each.is_own || each.result_name.empty())
            continue;
        declared_.enter(model_.parts);
        declared_.line(fmt::format("/// What `{}` gives.", each.name));
        declared_.line(0, fmt::format("struct {} {{", each.result_name));
        bool is_comparable = true;
        for (const member& one : each.given) {
            std::string_view initial = " = {}";
            if (one.type.how == form::capability)
                initial = " = nullptr";
            else if (one.type.how == form::number)
                initial = one.type.cxx == "bool" ? " = false" : " = 0";
            is_comparable = is_comparable && one.type.how != form::capability;
            declared_.line(4, fmt::format("{} {}{};", one.type.cxx, one.name, initial));
        }
        if (is_comparable) {
            declared_.gap();
            declared_.line(4, fmt::format("bool operator==(const {}&) const = default;", each.result));
        }
        declared_.line("};");
        declared_.gap();
    }
}

void interface_writer::client()
{
    const std::string name = model_.name + "_client";
    declared_.enter(model_.scope);
    declared_.doc(0, model_.doc);
    if (!model_.doc.empty())
        declared_.line("///");
    declared_.doc(0,
        "Each method sends its call when it is called, and what it gives is awaited or dropped: that cancels "
        "it.");
    declared_.line(0, fmt::format("class {} {{", name));
    declared_.line("public:");
    declared_.line(4, "static constexpr bool belongs_to_strand = true;");
    declared_.gap();
    declared_.line(4, fmt::format("explicit {}({}::Client to) : to_(kj::mv(to)) {{}}", name, model_.schema));
    declared_.gap();
    for (const method& each : model_.methods)
        client_method(each);
    declared_.line(4, "/// Cap'n Proto's own client.");
    declared_.line(4, fmt::format("{}::Client& operator*() noexcept {{ return *to_; }}", model_.schema));
    declared_.gap();
    declared_.line("private:");
    declared_.line(4, fmt::format("costar::rpc::nothrow<{}::Client> to_;", model_.schema));
    declared_.line("};");
    declared_.gap();
}

void interface_writer::client_method(const method& of)
{
    const std::string result = fmt::format("costar::rpc::pending<kj::Promise<{}>>", of.result);
    declared_.doc(4, of.doc);
    declared_.list(4, fmt::format("{} {}(", brief(result, of), of.name), parameters(of, true, false), ");");
    declared_.gap();

    defined_.function(
        result, fmt::format("{}::{}(", full_name("_client"), of.name), parameters(of, false, false), ")");
    defined_.line("{");
    defined_.line(4, fmt::format("auto call_ = to_->{}Request();", of.schema));
    statements write(defined_, "call_", "");
    for (const member& each : of.asked)
        write.put(4, each, each.name, false);
    if (of.is_streamed)
        defined_.line(4, "return call_.send();");
    else if (of.result == "void")
        defined_.line(4, "return call_.send().ignoreResult();");
    else
        converted(of);
    defined_.line("}");
    defined_.gap();
}

/// What came, in C++.
void interface_writer::converted(const method& of)
{
    constexpr std::string_view send = "return call_.send().then(";
    const std::string head = fmt::format("[](capnp::Response<{}>&& answer_) {{", of.results);
    statements read(defined_, "", "answer_");
    if (of.result_name.empty()) {
        const member& only = of.given.front();
        const std::string body = fmt::format("return {};", read_expression(only.type, read.reader(only)));
        const std::string all = fmt::format("{} {} }}", head, body);
        if (all.size() + 10 <= code::columns)
            return defined_.list(4, send, {all}, ");");
        defined_.line(4, std::string(send) + head);
        defined_.line(8, body);
        return defined_.line(4, "});");
    }
    defined_.line(4, std::string(send) + head);
    defined_.line(8, fmt::format("{} made_;", of.result));
    for (const member& each : of.given)
        read.take(8, each, "made_." + each.name);
    defined_.line(8, "return made_;");
    defined_.line(4, "});");
}

void interface_writer::server()
{
    const std::string name = model_.name + "_server";
    declared_.doc(0, model_.doc);
    if (!model_.doc.empty())
        declared_.line("///");
    declared_.doc(0,
        "To be derived from. A caller that gives up cancels the task of its call; what a task throws is what "
        "the caller is told. The server lives until its last task has ended.");
    const std::string head =
        fmt::format("class {} : public costar::rpc::service<{}> {{", name, model_.schema);
    if (model_.methods.empty()) {
        declared_.line(0, head + "};");
        return declared_.gap();
    }
    declared_.line(0, head);
    declared_.line("public:");
    for (const method& each : model_.methods) {
        declared_.doc(4, each.doc);
        const std::string result = each.result == "void" ? "" : brief(each.result, each);
        declared_.list(4, fmt::format("virtual costar::task<{}> {}(", result, each.name),
            parameters(each, true, true), ") = 0;");
        declared_.gap();
    }
    declared_.line("protected:");
    // Where the two names are one, GCC warns whoever overrides the coroutine alone.
    declared_.line("#pragma GCC diagnostic push");
    declared_.line("#pragma GCC diagnostic ignored \"-Woverloaded-virtual\"");
    for (const method& each : model_.methods)
        declared_.line(4,
            fmt::format("kj::Promise<void> {}({}Context call) final;", server_name(each.schema),
                title_name(each.schema)));
    declared_.line("#pragma GCC diagnostic pop");
    declared_.gap();
    declared_.line("private:");
    for (const method& each : model_.methods)
        declared_.list(4, fmt::format("costar::task<> answer_to_{}(", each.name),
            {fmt::format("costar::rpc::call<{}Context> call_", title_name(each.schema))}, ");");
    declared_.line("};");
    declared_.gap();
    for (const method& each : model_.methods)
        server_method(each);
}

void interface_writer::server_method(const method& of)
{
    const std::string context = title_name(of.schema) + "Context";
    const std::string coroutine = "answer_to_" + of.name;
    defined_.function("kj::Promise<void>",
        fmt::format("{}::{}(", full_name("_server"), server_name(of.schema)), {context + " call"}, ")");
    defined_.line("{");
    defined_.list(4, fmt::format("return costar::rpc::service<{}>::answer(", model_.schema),
        {"call", fmt::format("{}(call)", coroutine)}, ");");
    defined_.line("}");
    defined_.gap();

    defined_.function("costar::task<>", fmt::format("{}::{}(", full_name("_server"), coroutine),
        {fmt::format("costar::rpc::call<{}> call_", context)}, ")");
    defined_.line("{");
    read_parameters(of);
    std::vector<std::string> moved;
    for (const member& each : of.asked)
        moved.push_back(each.type.how == form::number || each.type.how == form::enumeration
                ? each.name
                : fmt::format("std::move({})", each.name));
    if (of.result == "void")
        defined_.list(4, fmt::format("co_await this->{}(", of.name), moved, ");");
    else
        answered(of, moved);
    defined_.line("}");
    defined_.gap();
}

/// Awaits what a method gives, and writes it into the answer.
void interface_writer::answered(const method& of, const std::vector<std::string>& arguments)
{
    defined_.assign(4, "auto answer_", fmt::format("co_await this->{}(", of.name), arguments, ");");
    defined_.line(4, "auto results_ = call_->getResults();");
    statements write(defined_, "results_", "");
    for (const member& each : of.given)
        write.put(4, each, of.result_name.empty() ? "answer_" : "answer_." + each.name, false);
}

/// Into variables, and lets go of the message that they came in.
void interface_writer::read_parameters(const method& of)
{
    if (of.asked.empty())
        return;
    defined_.line(4, "auto asked_ = call_->getParams();");
    statements read(defined_, "", "asked_");
    for (const member& each : of.asked)
        read.assign(4, "auto " + each.name, each.type, read.reader(each));
    defined_.line(4, "call_->releaseParams();");
}

}  // namespace costar::capnpc
