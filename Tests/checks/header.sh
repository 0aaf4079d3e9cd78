#!/usr/bin/env bash
# Each header alone compiles, without a warning, in each language standard and with each compiler that hosts use; so does
# code that uses every initialiser, and the initialisers say the right size and nothing else. What the interface is as data, and what
# is made from that: header_data.sh.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

clang=$(find_clang)
# Without the adapters, which need what they adapt to (Tests/adapters), and those of C++ (Tests/cpp).
mapfile -t headers < <(cd include && find . -name '*.h' ! -name glib.h ! -name uv.h -printf '%P\n' | sort)
longest=500
strict=(-Wall -Wextra -Wundef -Wshadow -pedantic -Werror)

# The types that have an initialiser: MAPE_JOB_CONFIG_INIT belongs to mape_job_config.
types=()
while read -r macro; do
    type=${macro%_INIT}
    types+=("${type,,} $macro")
done < <(cd include && sed -n 's/^#define \(MAPE_[A-Z_]*_INIT\)\>.*/\1/p' "${headers[@]}")

mkdir "$work/alone"
for header in "${headers[@]}"; do
    echo "#include <$header>" | tee "$work/alone/${header//\//-}.c" >"$work/alone/${header//\//-}.cc"
    lines=$(wc -l <"include/$header")
    if ((lines <= longest)); then
        ok "$header has $lines lines, at most $longest"
    else
        failed "$header has at most $longest lines" "it has $lines"
    fi
done

# A program that makes one of each, and looks whether only the size is set, and the sizes of structures within. A structure
# without an initialiser of its own is none that the host fills.
{
    echo '#include <mapengine.h>'
    echo '#include <stdio.h>'
    echo '#include <string.h>'
    for entry in "${types[@]}"; do
        read -r type macro <<<"$entry"
        echo "static const $type constant_$type = $macro;"
    done
    echo 'int main(void) {'
    echo '    int bad = 0;'
    for entry in "${types[@]}"; do
        read -r type macro <<<"$entry"
        cat <<EOF
    {
        $type value = $macro, other;
        memset(&other, 0, sizeof other);
        other.struct_size = sizeof other;
EOF
        if [[ $type == mape_event ]]; then
            echo '        other.result.struct_size = sizeof other.result;'
            echo '        other.result.message = value.result.message;'
            echo '        other.progress.struct_size = sizeof other.progress;'
        fi
        cat <<EOF
        if (value.struct_size != constant_$type.struct_size || memcmp(&value, &other, sizeof value) != 0) {
            printf("$macro sets more than the size, or a wrong one\\n");
            bad = 1;
        }
    }
EOF
    done
    echo '    return bad;'
    echo '}'
} >"$work/init.c"
cp "$work/init.c" "$work/init.cc"

for compiler in gcc "$clang"; do
    name=$(basename "$compiler")
    for standard in c99 c11 c17; do
        check "each of ${#headers[@]} headers alone, $name, $standard" \
            "$compiler" -std=$standard "${strict[@]}" -Wstrict-prototypes -Iinclude -fsyntax-only "$work"/alone/*.c
    done
    check "initialisers, $name, c99" \
        "$compiler" -std=c99 "${strict[@]}" -Iinclude -o "$work/init-c-$name" "$work/init.c" &&
        check "what the initialisers set, $name, c99" "$work/init-c-$name"
done
for compiler in g++ "$clang++"; do
    name=$(basename "$compiler")
    for standard in c++11 c++17 c++20; do
        check "each of ${#headers[@]} headers alone, $name, $standard" \
            "$compiler" -std=$standard "${strict[@]}" -Iinclude -fsyntax-only "$work"/alone/*.cc
    done
    check "initialisers, $name, c++11" \
        "$compiler" -std=c++11 "${strict[@]}" -Iinclude -o "$work/init-cc-$name" "$work/init.cc" &&
        check "what the initialisers set, $name, c++11" "$work/init-cc-$name"
done

if ((${#types[@]} == 0)); then
    failed "initialisers" "found no MAPE_..._INIT in include/"
fi
# Every structure with a struct_size has an initialiser.
structures=$(cat include/mapengine/*.h | grep -c '^    size_t struct_size;')
if ((structures == ${#types[@]})); then
    ok "each of the $structures sized structures has an initialiser"
else
    failed "initialisers" "$structures structures have a struct_size, but ${#types[@]} have an initialiser"
fi

# shellcheck source=Tests/checks/header_data.sh
source Tests/checks/header_data.sh
finish
