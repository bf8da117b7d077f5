# SPDX-License-Identifier: BSD-2-Clause
# A script of pipes, subshells, redirections and a command that is not there.
cd "$1" || exit 1
find src/isa -name '*.c' | sort | while read -r file; do
	wc -l <"$file"
done | sort -n | tail -n 3
(cat README.md; cat LICENSE) | tr -s ' ' '\n' | sort | uniq -c | sort -rn | sed -n 1,5p
no_such_command_here 2>/dev/null
cat <<EOF | grep -c .
one
two
EOF
exit 3
