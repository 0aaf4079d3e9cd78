#!/usr/bin/env bash
# The header alone compiles, without a warning, in each language standard and with each compiler that hosts use; so does
# code that uses every initialiser, and the initialisers say the right size and nothing else.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

clang=$(find_clang)
header=include/mapengine.h
strict=(-Wall -Wextra -Wundef -Wshadow -pedantic -Werror)

# The types that have an initialiser: MAPE_JOB_CONFIG_INIT belongs to mape_job_config, or else to mape_job_config_t.
types=()
while read -r macro; do
    type=${macro%_INIT}
    type=${type,,}
    if grep -qE "^\} ${type}_t;" $header; then
        type=${type}_t
    fi
    types+=("$type $macro")
done < <(sed -n 's/^#define \(MAPE_[A-Z_]*_INIT\)\>.*/\1/p' $header)

echo '#include <mapengine.h>' >"$work/alone.c"
cp "$work/alone.c" "$work/alone.cc"

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
        check "header alone, $name, $standard" \
            "$compiler" -std=$standard "${strict[@]}" -Wstrict-prototypes -Iinclude -fsyntax-only "$work/alone.c"
    done
    check "initialisers, $name, c99" \
        "$compiler" -std=c99 "${strict[@]}" -Iinclude -o "$work/init-c-$name" "$work/init.c" &&
        check "what the initialisers set, $name, c99" "$work/init-c-$name"
done
for compiler in g++ "$clang++"; do
    name=$(basename "$compiler")
    for standard in c++11 c++17 c++20; do
        check "header alone, $name, $standard" "$compiler" -std=$standard "${strict[@]}" -Iinclude -fsyntax-only "$work/alone.cc"
    done
    check "initialisers, $name, c++11" \
        "$compiler" -std=c++11 "${strict[@]}" -Iinclude -o "$work/init-cc-$name" "$work/init.cc" &&
        check "what the initialisers set, $name, c++11" "$work/init-cc-$name"
done

if ((${#types[@]} == 0)); then
    failed "initialisers" "found no MAPE_..._INIT in $header"
fi
# Every structure with a struct_size has an initialiser.
structures=$(grep -c '^    size_t struct_size;' $header)
if ((structures == ${#types[@]})); then
    ok "each of the $structures sized structures has an initialiser"
else
    failed "initialisers" "$structures structures have a struct_size, but ${#types[@]} have an initialiser"
fi
finish
