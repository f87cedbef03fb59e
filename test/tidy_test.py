#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows each rule of tidy.py a small tree that it refuses and one that it lets pass."""

import sys
import unittest

import tidy

LICENCE = "// SPDX-License-Identifier: MIT\n\n"


def found(rule, tree):
    return [(path, line) for path, line, what, instead in rule(tree) if what and instead]


class Rules(unittest.TestCase):
    def refuses(self, rule, tree, *expected):
        self.assertEqual(found(rule, tree), list(expected))

    def allows(self, rule, tree):
        self.assertEqual(found(rule, tree), [])

    def test_includes_point_down(self):
        rule = tidy.includes_point_down
        up = "#include <costar/core/task.hpp>\n#include <costar/actor/engine.hpp>\n"
        self.refuses(rule, {"lib/core/strand.cpp": up}, ("lib/core/strand.cpp", 2))
        beside = {"include/costar/wire/codec.hpp": "#include <costar/testing/simulation.hpp>\n"}
        self.refuses(rule, beside, ("include/costar/wire/codec.hpp", 1))
        self.refuses(rule, {"lib/core/a.cpp": "#include <costar/nowhere/b.hpp>\n"}, ("lib/core/a.cpp", 1))
        self.allows(rule, {"include/costar/actor/cell.hpp": up})

    def test_guarantees_name_tests_that_there_are(self):
        rule = tidy.guarantees_name_tests_that_there_are
        tree = {
            "docs/guide/guarantees.md": "| `test/core/a.test.cpp` | a: is so |\n"
                                        "| under load: `test/core/a.test.cpp` | a: is long (each) |\n",
            "test/core/a.test.cpp": 'TEST_CASE("a: is so", "[a]")\nTEST_CASE("a: is "\n    "long", "[a]")\n',
        }
        self.allows(rule, tree)
        tree["test/core/a.test.cpp"] = 'TEST_CASE("a: is so", "[a]")\n'
        self.refuses(rule, tree, ("docs/guide/guarantees.md", 2))

    def test_rooms_can_be_drawn_on_one_sheet(self):
        rule = tidy.rooms_can_be_drawn_on_one_sheet
        room = {f"include/costar/core/a{i:02}.hpp": "" for i in range(21)}
        self.refuses(rule, room, ("include/costar/core/a20.hpp", 1))
        del room["include/costar/core/a00.hpp"]
        self.allows(rule, room)
        self.refuses(rule, {"lib/core/a.cpp": "\n" * 401}, ("lib/core/a.cpp", 400))
        self.allows(rule, {"lib/core/a.cpp": "\n" * 400, "test/core/a.test.cpp": "\n" * 1000})

    def test_private_headers_stay_in_their_room(self):
        rule = tidy.private_headers_stay_in_their_room
        self.refuses(rule, {"lib/core/a.cpp": '#include "../actor/b.hpp"\n'}, ("lib/core/a.cpp", 1))
        self.allows(rule, {"lib/core/a.cpp": '#include "b.hpp"\n'})

    def test_public_headers_include_public_headers(self):
        rule, path = tidy.public_headers_include_public_headers, "include/costar/actor/engine.hpp"
        self.refuses(rule, {path: '#include "cell.hpp"\n'}, (path, 1))
        self.refuses(rule, {path: "#include <lib/kernel/cell.hpp>\n"}, (path, 1))
        self.allows(rule, {path: "#include <costar/post/pid.hpp>\n"})
        self.allows(rule, {"lib/actor/a.cpp": '#include "a.hpp"\n'})

    def test_asio_comes_in_single_headers(self):
        rule = tidy.asio_comes_in_single_headers
        self.refuses(rule, {"demos/a.cpp": "\n#include <boost/asio.hpp>\n"}, ("demos/a.cpp", 2))
        self.allows(rule, {"demos/a.cpp": "#include <boost/asio/post.hpp>\n"})

    def test_tests_use_what_both_catch2_have(self):
        rule = tidy.tests_use_what_both_catch2_have
        self.refuses(rule, {"test/a.test.cpp": '\nCHECK_THAT(a, Catch::Contains("b"));\n'},
                     ("test/a.test.cpp", 2))
        self.allows(rule, {"test/a.test.cpp": 'CHECK_THAT(a, Catch::Matchers::StartsWith("b"));\n'})

    def test_headers_have_source_and_test(self):
        rule = tidy.headers_have_source_and_test
        lone = {"include/costar/post/pid.hpp": ""}
        self.refuses(rule, lone, ("include/costar/post/pid.hpp", 1), ("include/costar/post/pid.hpp", 1))
        self.allows(rule, {**lone, "lib/post/pid.cpp": "", "test/post/pid.test.cpp": ""})
        self.allows(rule, {"include/costar/core/task.hpp": "", "test/core/task.test.cpp": ""})

    def test_own_header_comes_first(self):
        rule = tidy.own_header_comes_first
        own = {"include/costar/core/task.hpp": ""}
        late = LICENCE + "#include <vector>\n#include <costar/core/task.hpp>\n"
        self.refuses(rule, {**own, "lib/core/task.cpp": late}, ("lib/core/task.cpp", 3))
        self.refuses(rule, {**own, "test/core/task.test.cpp": late}, ("test/core/task.test.cpp", 3))
        self.refuses(rule, {**own, "lib/core/task.cpp": ""}, ("lib/core/task.cpp", 1))
        self.allows(rule, {**own, "lib/core/task.cpp": "#include <costar/core/task.hpp>\n"})
        self.allows(rule, {"lib/core/asio.cpp": late})

    def test_white_space_is_plain(self):
        rule = tidy.white_space_is_plain
        self.refuses(rule, {"a.py": "if x:\n\ty\n"}, ("a.py", 2))
        self.refuses(rule, {"a.py": "x \n"}, ("a.py", 1))
        self.refuses(rule, {"a.py": "x\ny"}, ("a.py", 2))
        self.refuses(rule, {"a.py": "x\n\n"}, ("a.py", 3))
        self.allows(rule, {"Makefile": "all:\n\techo\n", "a.go": "\tx := 1\n", "empty": ""})

    def test_lines_are_short(self):
        self.refuses(tidy.lines_are_short, {"a.hpp": "\n" + "x" * 111 + "\n"}, ("a.hpp", 2))
        self.allows(tidy.lines_are_short, {"a.hpp": "x" * 110, "a.md": "x" * 200})

    def test_licence_comes_first(self):
        rule = tidy.licence_comes_first
        self.refuses(rule, {"lib/core/a.cpp": "int x;\n"}, ("lib/core/a.cpp", 1))
        self.refuses(rule, {"a": "#!/bin/sh\necho\n"}, ("a", 2))
        self.allows(rule, {"a.cpp": LICENCE, "b": "text\n"})
        self.allows(rule, {"a": "#!/bin/sh\n# SPDX-License-Identifier: MIT\n"})

    def test_nothing_is_put_off(self):
        rule = tidy.nothing_is_put_off
        for word in ("// TO" "DO: later", "// FIX" "ME", "x();  // NO" "LINT", "#if " "0"):
            self.refuses(rule, {"a.cpp": f"\n{word}\n"}, ("a.cpp", 2))
        self.allows(rule, {"a.cpp": "#if 0x10 < VERSION\n"})

    def test_headers_open_no_namespace(self):
        rule = tidy.headers_open_no_namespace
        self.refuses(rule, {"a.hpp": "using namespace std;\n"}, ("a.hpp", 1))
        self.allows(rule, {"a.cpp": "using namespace std::chrono_literals;\n", "a.hpp": "using std::move;\n"})

    def test_nothing_hides_in_detail(self):
        rule, path = tidy.nothing_hides_in_detail, "lib/actor/a.cpp"
        self.refuses(rule, {path: "detail::x();\n"}, (path, 1))
        self.refuses(rule, {path: "namespace detail {\n"}, (path, 1))
        self.refuses(rule, {"include/costar/util/a.hpp": ""}, ("include/costar/util/a.hpp", 1))
        self.allows(rule, {"lib/core/a.cpp": "asio::detail::x();\n", path: "int detailed;\n"})

    def test_library_is_silent(self):
        rule = tidy.library_is_silent
        self.refuses(rule, {"lib/core/a.cpp": "std::cout << 1;\n"}, ("lib/core/a.cpp", 1))
        self.refuses(rule, {"lib/core/a.cpp": 'fmt::print("x");\n'}, ("lib/core/a.cpp", 1))
        self.allows(rule, {"demos/a.cpp": "std::cout << 1;\n"})

    def test_tests_do_not_sleep(self):
        rule = tidy.tests_do_not_sleep
        sleep = "std::this_thread::sleep_for(1s);\n"
        self.refuses(rule, {"test/core/a.test.cpp": sleep}, ("test/core/a.test.cpp", 1))
        self.allows(rule, {"test/core/a.test.cpp": "co_await sleep_for(1s);\n", "benchmarks/a.cpp": sleep})

    def test_properties_are_checked(self):
        rule = tidy.properties_are_checked
        self.refuses(rule, {"test/core/a.test.cpp": '    rc::check("a", f);\n'}, ("test/core/a.test.cpp", 1))
        self.allows(rule, {"test/core/a.test.cpp": 'CHECK(rc::check("a", f));\n'})

    def test_coroutine_lambdas_capture_nothing(self):
        rule = tidy.coroutine_lambdas_capture_nothing
        for text in ("[&](int x) -> task<> {", "[x]() mutable -> costar::task<int> {", "[t](\n) -> task<>"):
            self.refuses(rule, {"a.cpp": f"auto f = {text}\n"}, ("a.cpp", 1))
        self.allows(rule, {"a.cpp": "[](int& x) -> task<> {\n[&](int x) { return f(x); }\na[1](x);\n"})

    def test_headers_are_guarded(self):
        self.refuses(tidy.headers_are_guarded, {"a.hpp": "#ifndef A\n"}, ("a.hpp", 1))
        self.allows(tidy.headers_are_guarded, {"a.hpp": LICENCE + "#pragma once\n", "a.cpp": ""})

    def test_files_are_built(self):
        rule = tidy.files_are_built
        build = {"lib/meson.build": "files(\n  'core/a.cpp',\n)\n", "demos/meson.build": "'01_hello',\n"}
        self.refuses(rule, {**build, "lib/core/b.cpp": ""}, ("lib/core/b.cpp", 1))
        self.refuses(rule, {**build, "lib/actor/a.cpp": ""}, ("lib/actor/a.cpp", 1))
        self.refuses(rule, {"include/costar/core/a.hpp": ""}, ("include/costar/core/a.hpp", 1))
        self.allows(rule, {**build, "lib/core/a.cpp": "", "demos/01_hello.cpp": "", "lib/core/a.hpp": ""})
        self.allows(rule, {"include/costar/meson.build": "'core/a.hpp',", "include/costar/core/a.hpp": ""})

    def test_documents_have_one_title(self):
        rule = tidy.documents_have_one_title
        self.refuses(rule, {"a.md": "# A\n# B\n"}, ("a.md", 1))
        self.refuses(rule, {"a.md": "## A\n"}, ("a.md", 1))
        self.allows(rule, {"a.md": "# A\n\n```sh\n# a comment\n```\n## B\n"})

    def test_links_lead_somewhere(self):
        rule = tidy.links_lead_somewhere
        self.refuses(rule, {"a.md": "\n[x](b.md)\n"}, ("a.md", 2))
        self.refuses(rule, {"a.md": "[x](../b.md)\n", "b.md": ""}, ("a.md", 1))
        self.refuses(rule, {"a.md": "[x](#other)\n# One\n"}, ("a.md", 1))
        tree = {"docs/a.md": "[x](../b.md#two-words) [y](https://example.org) `[z](none)` [w](guide/)\n"}
        self.allows(rule, {**tree, "b.md": "## Two words\n", "docs/guide/c.md": ""})
        self.allows(rule, {"a.md": "```cpp\nmatch([&](enter&) {});\n```\n"})
        self.refuses(rule, {"a.md": "```cpp\n```\n[x](b.md)\n"}, ("a.md", 3))

    def test_documents_are_linked(self):
        rule = tidy.documents_are_linked
        self.refuses(rule, {"README.md": "", "docs/a.md": ""}, ("docs/a.md", 1))
        self.allows(rule, {"README.md": "[a](docs/a.md#x)\n", "docs/a.md": "[b](b.md)\n", "docs/b.md": ""})

    def test_named_tests_exist(self):
        rule = tidy.named_tests_exist
        test = {"test/core/a.test.cpp": 'TEST_CASE("a: does what it "\n    "says", "[core]")\n'}
        self.refuses(rule, {**test, "docs/a.md": "\n`core/b`\n"}, ("docs/a.md", 2))
        self.refuses(rule, {**test, "docs/a.md": "`core/a`: *does nothing*\n"}, ("docs/a.md", 1))
        self.allows(rule, {**test, "docs/a.md": "`core/a`, `core/a`: *does what it says*, `io/b`\n"})

    def test_every_rule_has_a_test(self):
        for rule in tidy.rules:
            self.assertTrue(hasattr(self, f"test_{rule.__name__}"), f"tidy.{rule.__name__} has no test")


if __name__ == "__main__":
    sys.exit(unittest.main())
