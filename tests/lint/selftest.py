#!/usr/bin/env python3
"""The lint scripts find what they are for: each gets a clean tree (passes) and one with a planted violation (fails)."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
COMPILER = os.environ.get('CXX') or shutil.which('g++') or 'c++'


class Lint(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    def lint(self, script, *more):
        done = subprocess.run([sys.executable, os.path.join(HERE, script + '.py'), '--root', self.root, *more],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def passes(self, script, *more):
        code, out = self.lint(script, *more)
        self.assertEqual(code, 0, out)

    def fails(self, script, expected, *more):
        code, out = self.lint(script, *more)
        self.assertEqual(code, 1, out)
        self.assertIn(expected, out)

    def skips(self, script, *more):
        code, out = self.lint(script, *more)
        self.assertEqual(code, 77, out)


class Layers(Lint):
    def setUp(self):
        super().setUp()
        self.write('weft.h', '#include <weft/layers/linear.h>\n')
        self.write('tensor/tensor.h', '#pragma once\n#include <vector>\n#include <weft/tensor/shape.h>\n')
        self.write('tensor/shape.h', '#pragma once\n')
        self.write('tensor/dispatch.cpp', '#include <weft/tensor/kernels/table.h>\n')
        self.write('tensor/kernels/table.h', '#include <weft/tensor/shape.h>\n')
        self.write('tensor/linalg.cpp', '#include <Eigen/Core>\n#include <weft/tensor/shape.h>\n')
        self.write('tensor/onednn/matmul.cpp', '#include <oneapi/dnnl/dnnl.hpp>\n#include <weft/tensor/tensor.h>\n')
        self.write('autograd/ops/softmax.h', '#include <weft/tensor/tensor.h>\n')
        self.write('layers/linear.h', '#include <weft/autograd/ops/softmax.h>\n#include <weft/tensor/tensor.h>\n')
        self.write('layers/save.cpp', '#include <nlohmann/json.hpp>\n#include <weft/layers/linear.h>\n')
        self.write('fusion/gate.cpp', '#include <weft/data/modalities.h>\n#include <weft/layers/linear.h>\n')
        self.write('data/modalities.h', '#include <weft/tensor/tensor.h>\n')
        self.write('optim/adam.cpp', '#include <weft/layers/linear.h>\n')
        self.write('study/main.cpp', '#include <CLI/CLI.hpp>\n#include <toml++/toml.h>\n#include <weft/fusion/gate.h>\n'
                   'int main() { std::cout << 1; exit(2); }\n')
        self.write('tests/unit/a_test.cpp', '#include <doctest/doctest.h>\n#include <weft/weft.h>\n')
        self.write('tests/isa/levels.cpp', '#include <weft/tensor/kernels/table.h>\n')
        self.write('bench/bench.cpp', '#include <weft/tensor/tensor.h>\n')

    def test_a_clean_house_passes(self):
        self.passes('layers')

    def test_arrows_that_are_not_drawn(self):
        for name, header in [('tensor/x.h', 'autograd/ops/softmax.h'), ('tensor/kernels/x.cpp', 'layers/linear.h'),
                             ('autograd/x.cpp', 'layers/linear.h'), ('autograd/x.cpp', 'tensor/kernels/table.h'),
                             ('layers/x.h', 'data/modalities.h'), ('layers/x.h', 'fusion/gate.h'),
                             ('data/x.cpp', 'autograd/ops/softmax.h'), ('fusion/x.cpp', 'optim/adam.h'),
                             ('optim/x.cpp', 'data/modalities.h'), ('optim/x.cpp', 'fusion/gate.h'),
                             ('deploy/x.cpp', 'study/main.h'), ('distributed/x.cpp', 'data/modalities.h'),
                             ('study/x.cpp', 'tensor/kernels/table.h'), ('study/x.cpp', 'tests/unit/help.h'),
                             ('tests/unit/x.cpp', 'tensor/kernels/table.h'), ('bench/x.cpp', 'tensor/onednn/onednn.h'),
                             ('examples/x.cpp', 'tensor/kernels/table.h'), ('layers/x.h', 'weft.h'),
                             ('study/x.cpp', 'weft.h'), ('layers/x.cpp', 'nowhere/x.h')]:
            with self.subTest(name=name, header=header):
                self.write(name, f'\n#  include <weft/{header}>\n')
                self.fails('layers', f'{name}:2:')
                os.remove(os.path.join(self.root, name))

    def test_outside_libraries_stay_in_their_rooms(self):
        for name, header in [('tensor/x.h', 'Eigen/Core'), ('layers/x.cpp', 'Eigen/Dense'), ('tests/unit/x.cpp', 'Eigen/Core'),
                             ('tensor/x.cpp', 'oneapi/dnnl/dnnl.hpp'), ('tensor/kernels/x.cpp', 'dnnl.hpp'),
                             ('layers/x.h', 'nlohmann/json.hpp'), ('data/x.cpp', 'toml++/toml.h'), ('data/x.cpp', 'fmt/core.h'),
                             ('optim/x.cpp', 'doctest/doctest.h')]:
            with self.subTest(name=name, header=header):
                self.write(name, f'#include <{header}>\n')
                self.fails('layers', f'{name}:1:')
                os.remove(os.path.join(self.root, name))

    def test_relative_and_quoted_includes(self):
        self.write('layers/x.cpp', '#include "linear.h"\n#include <weft/layers/../layers/linear.h>\n')
        self.fails('layers', 'layers/x.cpp:1:')
        self.fails('layers', 'layers/x.cpp:2:')

    def test_a_helper_beside_a_test(self):
        self.write('tests/ops/record.h', '')
        self.write('tests/ops/sum.cpp', '#include "record.h"\n')
        self.passes('layers')
        self.write('tests/unit/x.cpp', '#include "../ops/record.h"\n#include "record.h"\n')
        self.fails('layers', 'tests/unit/x.cpp:1:')
        self.fails('layers', 'tests/unit/x.cpp:2:')

    def test_printing_and_ending(self):
        for text in ['std::cout << 1;', 'std::cerr << 1;', 'printf("x");', 'std::printf("x");', 'abort();', 'std::exit(1);',
                     'exit(1);', 'fprintf(stderr, "x");', 'std::terminate();']:
            with self.subTest(text=text):
                self.write('data/x.cpp', f'void f() {{\n  {text}\n}}\n')
                self.fails('layers', 'data/x.cpp:2:')

    def test_comments_and_strings_are_free(self):
        self.write('data/x.cpp', '// #include <weft/study/main.h>\n/*\n#include <weft/study/main.h>\nabort(); */\n'
                   'auto s = "exit(1); \\" std::cout"; auto r = R"c(printf("x"))c"; const int n = 1\'000;\n'
                   'int m = snprintf(p, 1, ""); x.abort(); on_exit(); std::ostream& o = out;\n')
        self.passes('layers')

    def test_files_outside_of_the_house(self):
        self.write('misc/x.cpp', '')
        self.fails('layers', 'misc/x.cpp:1:')

    def test_build_folders_are_not_read(self):
        self.write('build-x/x.cpp', '#include "y.h"\n')
        self.passes('layers')


class Records(Lint):
    HEADER = '''#pragma once
#include <weft/tensor/tensor.h>
#define WEFT_TWICE(x) \\
  twice(x)
namespace weft {
/// Not softmin(x), in a comment.
Tensor softmax(const Tensor& x, int axis);
[[nodiscard]] Tensor sum(const Tensor& x, std::vector<int> axes = {}, bool keep = false);
Tensor sum(const Tensor& x);
struct Options { int a = 1; Tensor member(int b) const { return {}; } };
enum class Kind { a, b };
using Inputs = std::span<const Tensor>;
inline constexpr int limit = maximum_of(1, 2);
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor& operator+=(Tensor& a, const Tensor& b);
inline Tensor operator-(const Tensor& a) { return neg(a); }
template <class T> requires(sizeof(T) > 2)
Tensor scaled(const Tensor& x, T by) { if (by) { return x; } return x; }
void seed_of(int x);  // no record: no tensor goes in
namespace detail { Tensor hidden(const Tensor& x); }
}  // namespace weft
'''

    def setUp(self):
        super().setUp()
        self.write('autograd/ops/all.h', self.HEADER)
        self.record('softmax', 'sum', 'add', 'sub', 'scaled')

    def record(self, *names):
        self.write('tests/ops/all.cpp', ''.join(f'static Record r_{n} = Record{{.name = "{n}", .torch = "x"}};\n' for n in names))

    def test_all_recorded(self):
        self.passes('records')

    def test_each_missing_record_is_found(self):
        every = ['softmax', 'sum', 'add', 'sub', 'scaled']
        for missing in every:
            with self.subTest(missing=missing):
                self.record(*[n for n in every if n != missing])
                self.fails('records', f'operation "{missing}" has no record')

    def test_a_record_in_a_comment_does_not_count(self):
        self.write('tests/ops/all.cpp', '// Record{.name = "softmax"}\n')
        self.fails('records', 'autograd/ops/all.h:7: operation "softmax"')

    def test_variants_count(self):
        self.record('softmax', 'sum/axis', 'add inplace', 'sub', 'scaled')
        self.passes('records')

    def test_an_excuse_needs_a_reason(self):
        self.write('autograd/ops/b.h', 'namespace weft {\nvoid f(int x);  // no record:\n}\n')
        self.fails('records', 'operation "f"')

    def test_nothing_to_look_at(self):
        os.remove(os.path.join(self.root, 'autograd/ops/all.h'))
        self.skips('records')


@unittest.skipUnless(shutil.which(COMPILER) and shutil.which('ar') and shutil.which('nm'), 'no compiler')
class Symbols(Lint):
    def level(self, level, text, folder='build/tensor'):
        name = f'{folder}/libweft_kernels_{level}'
        self.write(name + '.cpp', text)
        path = os.path.join(self.root, name)
        subprocess.run([COMPILER, '-c', '-O0', path + '.cpp', '-o', path + '.o'], check=True)
        subprocess.run(['ar', 'rcs', path + '.a', path + '.o'], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    TABLE = '#include <math.h>\nnamespace { double f(double x) { return exp(x); } }\nextern "C" double (*const weft_table_LEVEL)(double);\n' \
            'extern "C" { double (*const weft_table_LEVEL)(double) = f; }\n'

    def test_separate_levels_pass(self):
        for level in ('v2', 'v3', 'v4'):
            self.level(level, self.TABLE.replace('LEVEL', level))
        self.passes('symbols')

    def test_a_shared_inline_function(self):
        shared = 'inline int largest(int a, int b) { return a > b ? a : b; }\nint (*weft_LEVEL)(int, int) = largest;\n'
        for level in ('v2', 'v3'):
            self.level(level, shared.replace('LEVEL', level))
        self.fails('symbols', 'levels share largest(int, int)')

    def test_a_renamed_namespace_passes(self):
        for level in ('v2', 'v3'):
            self.level(level, 'namespace eigen_LEVEL::internal { inline int f() { return 1; } }\n'
                       'int (*weft_LEVEL)() = eigen_LEVEL::internal::f;\n'.replace('LEVEL', level))
        self.passes('symbols')

    def test_a_symbol_without_its_level(self):
        self.level('v2', self.TABLE.replace('LEVEL', 'v2'))
        self.level('v3', self.TABLE.replace('LEVEL', 'v3') + 'inline int one() { return 1; }\nint (*weft_v3)() = one;\n')
        self.fails('symbols', 'level v3 defines one()')

    def test_one_level_has_nothing_to_share(self):
        self.level('v2', self.TABLE.replace('LEVEL', 'v2'))
        self.skips('symbols')


class Words(Lint):
    def test_clean(self):
        self.write('README.md', 'weft weaves evidence at work: ../shared/data, include/weft, framework/x, a farm\n')
        self.passes('words')

    def test_paths_of_a_workplace(self):
        for text in ['/' + 'work/main', '/' + 'root/x', '/' + 'home/anna/x', 'Cl' + 'aude']:
            with self.subTest(text=text):
                self.write('docs/a.md', f'one\ntwo {text}\n')
                self.fails('words', 'docs/a.md:2:')


@unittest.skipUnless(shutil.which(COMPILER), 'no compiler')
class Headers(Lint):
    def test_alone(self):
        self.write('tensor/shape.h', '#pragma once\nnamespace weft { struct Shape {}; }\n')
        self.write('layers/linear.h', '#pragma once\n#include <weft/tensor/shape.h>\nnamespace weft { struct Linear { Shape s; }; }\n')
        self.write('tensor/kernels/inside.h', 'Unknown x;\n')
        self.passes('headers', '--', COMPILER, '-std=c++20')

    def test_missing_include(self):
        self.write('tensor/shape.h', '#pragma once\nnamespace weft { std::string f(); }\n')
        self.fails('headers', 'tensor/shape.h:1:', '--', COMPILER, '-std=c++20')

    def test_missing_guard(self):
        self.write('tensor/shape.h', 'namespace weft { struct Shape {}; }\n')
        self.fails('headers', 'tensor/shape.h:1:', '--', COMPILER, '-std=c++20')


class Shell(Lint):
    def test_scripts(self):
        self.write('run', '#!/bin/sh\nif true; then echo yes; fi\n')
        self.passes('shell')
        self.write('x/run', '#!/bin/sh\nif true; then echo yes\n')
        self.fails('shell', 'x/run:1:')
        self.write('x/run', '#!/bin/bash\ntrue\n')
        self.fails('shell', 'x/run:1: bash')


@unittest.skipUnless(shutil.which('clang-format-14'), 'no clang-format 14')
class Format(Lint):
    def test_layout(self):
        shutil.copy(os.path.join(os.path.dirname(os.path.dirname(HERE)), '.clang-format'), self.root)
        self.write('tensor/x.h', 'int f(const int& a);\n')
        self.passes('format')
        self.write('tensor/y.h', 'int f( const int &a );\n')
        self.fails('format', 'tensor/y.h:1:')


if __name__ == '__main__':
    unittest.main(verbosity=1)
