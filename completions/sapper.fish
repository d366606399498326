# SPDX-License-Identifier: Apache-2.0
#
# Completion of sapper for fish 3 and later.

# The folder that --target names, or nothing.
function __sapper_root
    set -l words (commandline -opc)
    set -l next 0
    for word in $words
        if test $next = 1
            test -d "$word"; and string replace -r '/$' '' -- $word
            return
        end
        switch $word
            case -t --target
                set next 1
            case '--target=*'
                set -l root (string replace -- --target= '' $word)
                test -d "$root"; and string replace -r '/$' '' -- $root
                return
        end
    end
end

function __sapper_programs
    set -l root (__sapper_root)
    for dir in /usr/sbin /usr/bin /usr/local/sbin /usr/local/bin /sbin /bin
        set -l files "$root"$dir/*
        test (count $files) -gt 0; and string replace -r '.*/' '' -- $files
    end
end

function __sapper_libraries
    set -l root (__sapper_root)
    set -l dirs "$root"/usr/lib "$root"/usr/lib64 "$root"/usr/local/lib "$root"/usr/lib/*-linux-*
    for dir in $dirs
        set -l files $dir/*.so*
        test (count $files) -gt 0; and string replace -r '.*/' '' -- $files
    end
end

function __sapper_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end

function __sapper_first
    test (count (commandline -opc)) -eq 1
end

complete -c sapper -f
complete -c sapper -n __sapper_first -a scan -d 'What is here, who loads what'
complete -c sapper -n __sapper_first -a links -d 'Who loads what, and why'
complete -c sapper -n __sapper_first -a watch -d 'Record what runs'
complete -c sapper -n __sapper_first -a run -d 'Run a command, show what it executes'
complete -c sapper -n __sapper_first -a db -d 'Advisories'
complete -c sapper -n __sapper_first -a help -d 'Help about a command'
complete -c sapper -n __sapper_first -a version -d 'Print the version'
complete -c sapper -n __sapper_first -l version -d 'Print the version'
complete -c sapper -n __sapper_first -s h -l help -d 'List the commands'
complete -c sapper -n '__sapper_command help' -a 'scan links watch run db'

set -l command
for command in scan links watch run db
    set -l seen "__sapper_command $command"
    complete -c sapper -n $seen -l format -x -a 'tty json' -d 'Form of the answer'
    complete -c sapper -n $seen -s o -l output -r -F -d 'Write the answer to a file'
    complete -c sapper -n $seen -s q -l quiet -d 'No progress, no remarks'
    complete -c sapper -n $seen -s v -l verbose -d 'Longer lists'
    complete -c sapper -n $seen -l no-color -d 'No colours'
    complete -c sapper -n $seen -s h -l help -d 'Short help'
    complete -c sapper -n $seen -F
end

for command in scan links
    set -l seen "__sapper_command $command"
    complete -c sapper -n $seen -l cpu -x -a 'host base 2 3 4' -d 'CPU level to assume'
end
complete -c sapper -n '__sapper_command scan' -l facts -r -F -d 'Also write the facts to a file'
complete -c sapper -n '__sapper_command scan' -l files -d 'JSON: list the files of packages'
complete -c sapper -n '__sapper_command scan' -l db -r -F -d 'The advisories'
complete -c sapper -n '__sapper_command scan' -l max-age -x -a '1 5 30' -d 'Days until they are old'
complete -c sapper -n '__sapper_command scan' -l explain -x -d 'How one answer came about'
complete -c sapper -n '__sapper_command scan' -l ignore -r -F -d 'Reviewed exceptions'
complete -c sapper -n '__sapper_command scan' -l vex -r -F -d 'A VEX document'
complete -c sapper -n '__sapper_command scan' -l show-suppressed -d 'List what was taken out'
complete -c sapper -n '__sapper_command scan' -l no-advisories -d 'Do not judge'

complete -c sapper -n '__sapper_command scan' -l processes -d 'List who has mapped what'
complete -c sapper -n '__sapper_command scan' -l functions -x -a '(__sapper_libraries)' -d 'Functions that were entered'
complete -c sapper -n '__sapper_command scan' -l store -r -F -d 'Evidence that a watch has kept'
complete -c sapper -n '__sapper_command scan' -l no-evidence -d 'Do not look at what runs'

set -l which 'affected exported all none'
set -l watch '__sapper_command watch'
complete -c sapper -n $watch -l for -x -a '10m 1h 1d' -d 'End after a time'
complete -c sapper -n $watch -l interval -x -a '10s 1m 5m' -d 'Write this often'
complete -c sapper -n $watch -l functions -x -a $which -d 'Which are watched'
complete -c sapper -n $watch -l opens -d 'Opened files that are not ELF too'
complete -c sapper -n $watch -l pid -x -a '(__fish_complete_pids)' -d 'This process and descendants'
complete -c sapper -n $watch -l cgroup -x -d 'Processes in this cgroup'
complete -c sapper -n $watch -l container -x -d 'Processes of this container'
complete -c sapper -n $watch -l store -r -F -d 'Where evidence is kept'
complete -c sapper -n $watch -l no-store -d 'Keep nothing'
complete -c sapper -n $watch -l processes -d 'List the processes at the end'
complete -c sapper -n $watch -l db -r -F -d 'The advisories'
complete -c sapper -n $watch -l capabilities -d 'What is allowed here'

set -l run '__sapper_command run'
complete -c sapper -n $run -l functions -x -a $which -d 'Which are watched'
complete -c sapper -n $run -l show -x -a '(__sapper_libraries)' -d 'Functions that were entered'
complete -c sapper -n $run -l processes -d 'List the processes'
complete -c sapper -n $run -l db -r -F -d 'The advisories'
complete -c sapper -n $run -a '(__sapper_programs)'

set -l db '__sapper_command db'
set -l verbs 'update import status export'
complete -c sapper -n "$db; and test (count (commandline -opc)) -eq 2" -a $verbs
complete -c sapper -n $db -l db -r -F -d 'The store'
complete -c sapper -n $db -l max-age -x -a '1 5 30' -d 'status: days until old'
complete -c sapper -n $db -l source -x -d 'import, export: this source'
complete -c sapper -n $db -l replace -d 'import: what the source had goes'
complete -c sapper -n $db -l mirror -x -d 'update: instead of OSV storage'
complete -c sapper -n $db -l kev-url -x -a none -d 'update: list of exploited ones'
complete -c sapper -n $db -l epss-url -x -a none -d 'update: scores'
complete -c sapper -n $db -l proxy -x -d 'update: through this proxy'
complete -c sapper -n $db -l cacert -r -F -d 'update: certificates to trust'
complete -c sapper -n $db -l timeout -x -d 'update: seconds without progress'
complete -c sapper -n $db -l retries -x -d 'update: tries after the first'
complete -c sapper -n $db -l max-size -x -d 'update: MiB of a download'

set -l links '__sapper_command links'
complete -c sapper -n $links -l why -x -a '(__sapper_libraries)' -d 'Every chain to a library'
complete -c sapper -n $links -l count -d 'A line a program'
complete -c sapper -n $links -l reverse -x -a '(__sapper_libraries)' -d 'All that would load it'
complete -c sapper -n $links -l census -x -a '(__sapper_programs)' -d 'What it loads in targets'
complete -c sapper -n $links -l unneeded -d 'Libraries that are named but not used'
complete -c sapper -n $links -s t -l target -r -F -d 'Where the programs are'
complete -c sapper -n $links -l strict -d 'Only what the loader does at start'
complete -c sapper -n $links -l library-path -r -F -d 'LD_LIBRARY_PATH to assume'
complete -c sapper -n $links -a '(__sapper_programs)'
