# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of sapper for bash 4 and later; needs no other package. Where nothing is added to
# COMPREPLY, readline completes file names (-o default), which also quotes them.

# Words that start with $cur.
_sapper_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# A folder with a root file system, or a facts file: file names, or else the schemes.
_sapper_target() {
	[[ -z $cur || -n $scheme || -n $(compgen -f -- "$cur") ]] && return
	_sapper_words 'dir: facts:'
	[[ ${#COMPREPLY[@]} -eq 0 ]] || compopt -o nospace 2>/dev/null
}

# _sapper_base FOLDER PATTERN: base names in it that start with $cur; PATTERN as for compgen -X.
_sapper_base() {
	local path
	while IFS= read -r path; do
		COMPREPLY+=("${path##*/}")
	done < <(compgen -f -X "$2" -- "$1/$cur")
}

# _sapper_inside: absolute paths inside the target folder.
_sapper_inside() {
	local path
	while IFS= read -r path; do
		[[ -d $path ]] && path+=/
		COMPREPLY+=("${path#"$root"}")
	done < <(compgen -f -- "$root$cur")
	[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace 2>/dev/null
}

# Names of programs in the usual folders of the target; with a slash, paths.
_sapper_program() {
	local dir
	if [[ $cur == */* ]]; then
		[[ -z $root ]] || _sapper_inside
		return
	fi
	for dir in /usr/sbin /usr/bin /usr/local/sbin /usr/local/bin /sbin /bin; do
		[[ -L $root$dir ]] || _sapper_base "$root$dir" ''
	done
}

_sapper_library() {
	local dir
	if [[ $cur == */* ]]; then
		[[ -z $root ]] || _sapper_inside
		return
	fi
	while IFS= read -r dir; do
		[[ -L $dir ]] || _sapper_base "$dir" '!*.so*'
	done < <(
		printf '%s\n' "$root"/{lib,lib64,usr/lib,usr/lib64,usr/local/lib}
		compgen -d -X '!*-linux-*' -- "$root/lib/"
		compgen -d -X '!*-linux-*' -- "$root/usr/lib/"
	)
}

# The value of the option $1; false where it takes none.
_sapper_value() {
	case $1 in
	--format) _sapper_words 'tty json' ;;
	--cpu) _sapper_words 'host base 2 3 4' ;;
	-o | --output | --facts | --library-path | --db | --store | --ignore | --vex | --cacert) ;;
	--for | --interval) _sapper_words '10s 1m 10m 1h 1d' ;;
	--functions)
		if [[ ${COMP_WORDS[1]} == scan ]]; then
			_sapper_library
		else
			_sapper_words 'affected exported all none'
		fi
		;;
	--show) _sapper_library ;;
	--pid | --cgroup | --container) compopt +o default ;;
	--max-age) _sapper_words '1 5 30' ;;
	--kev-url | --epss-url) _sapper_words 'none' ;;
	--explain | --source | --mirror | --proxy | --timeout | --retries | --max-size) compopt +o default ;;
	-t | --target) _sapper_target ;;
	--why | --reverse) _sapper_library ;;
	--census) _sapper_program ;;
	*) return 1 ;;
	esac
}

# Finds in the words before the one at hand: which question, and the folder of --target.
_sapper_before() {
	local i word value
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		value=${COMP_WORDS[i + 1]-}
		[[ $value == '=' ]] && value=${COMP_WORDS[i + 2]-}
		case $word in
		--reverse | --census) mode=$word ;;
		-t | --target) [[ -d $value ]] && root=${value%/} ;;
		--target=*) [[ -d ${word#*=} ]] && root=${word#*=} && root=${root%/} ;;
		--reverse=* | --census=*) mode=${word%%=*} ;;
		esac
	done
}

_sapper_links() {
	case $mode in
	--reverse | --census) _sapper_target ;;
	*)
		_sapper_program
		[[ $cur != */* ]] || return
		# a folder can stand for all its programs; readline marks and quotes it
		while IFS= read -r dir; do
			COMPREPLY+=("$dir")
		done < <(compgen -d -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	esac
}

_sapper() {
	local common='--format --output --quiet --verbose --no-color --help -o -q -v -h'
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local at=$COMP_CWORD scheme='' mode='' root='' put='' dir
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_sapper_words 'scan links watch run db help version --help --version'
		return
	fi
	# Readline may cut words at '=' and ':'.
	if [[ $cur == ':' ]]; then
		cur='' scheme=$prev at=$((at - 1)) prev=${COMP_WORDS[at - 1]}
	elif [[ $prev == ':' ]]; then
		scheme=${COMP_WORDS[at - 2]} at=$((at - 2)) prev=${COMP_WORDS[at - 1]}
	fi
	if [[ $cur == '=' ]]; then
		cur=''
	elif [[ $prev == '=' ]]; then
		prev=${COMP_WORDS[at - 2]}
	elif [[ $cur == --*=* ]]; then
		prev=${cur%%=*} put=$prev= cur=${cur#*=}
	fi
	_sapper_before
	case ${COMP_WORDS[1]} in
	help) ((COMP_CWORD != 2)) || _sapper_words 'scan links watch run db' ;;
	scan)
		if _sapper_value "$prev"; then
			:
		elif [[ $cur == -* ]]; then
			_sapper_words "$common --facts --files --cpu --db --max-age --explain --ignore --vex \
				--show-suppressed --no-advisories --processes --functions --store \
				--no-evidence"
		else
			_sapper_target
		fi
		;;
	watch)
		if _sapper_value "$prev"; then
			:
		else
			_sapper_words "$common --for --interval --functions --opens --pid --cgroup \
				--container --store --no-store --processes --db --capabilities"
		fi
		;;
	run)
		if _sapper_value "$prev"; then
			:
		elif [[ $cur == -* ]]; then
			_sapper_words "$common --functions --show --processes --db"
		else
			_sapper_program
		fi
		;;
	db)
		if ((COMP_CWORD == 2)) && [[ $cur != -* ]]; then
			_sapper_words 'update import status export'
		elif _sapper_value "$prev"; then
			:
		elif [[ $cur == -* ]]; then
			_sapper_words "$common --db --max-age --source --replace --mirror --kev-url \
				--epss-url --proxy --cacert --timeout --retries --max-size"
		elif [[ ${COMP_WORDS[2]} == update ]]; then
			_sapper_words 'AlmaLinux Alpine Bitnami Debian Go Maven NuGet Packagist PyPI RubyGems \
				Ubuntu crates.io npm'
		fi
		;;
	links)
		if _sapper_value "$prev"; then
			:
		elif [[ $cur == -* ]]; then
			_sapper_words "$common --why --count --reverse --census --unneeded \
				--target --strict --cpu --library-path -t"
		else
			_sapper_links
		fi
		;;
	esac
	[[ -z $put ]] || COMPREPLY=("${COMPREPLY[@]/#/$put}")
}

complete -F _sapper -o default sapper
