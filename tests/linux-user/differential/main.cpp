// Makes system calls with chosen arguments, each in a process of its own, and prints what came of each: built for the host and for
// riscv64, the lines have to be the same.
//
//   differential TABLE [-u] [-b N] [-s PART/PARTS] [-t MILLISECONDS] [-o NAMES] [-m REGEX] [-r SEED/COUNT]
//
// TABLE is calls.txt. -u makes the calls as nobody; -b uses up N numbers of processes first; -s makes each PARTS-th call alone, beside
// the good ones; -o makes those alone whose names are lines of the file; -m those alone whose names begin so. A call that does not return
// within the time "blocks". -r makes COUNT sequences of calls instead, and tells on standard error what they are.
//
// A line: name, arguments that are not the base ones, then words that may each be compared on its own: the result, memory that
// changed, files.
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "call.h"
#include "fixtures.h"
#include "runner.h"

using namespace differential;

namespace {

void use_up_numbers(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        waitpid(child, nullptr, 0);
    }
}

std::vector<Call> read_table(const char* path) {
    std::ifstream table(path);
    if (!table) {
        std::perror(path);
        std::exit(2);
    }
    std::vector<Call> calls;
    for (std::string line; std::getline(table, line);) {
        if (!line.empty() && line[0] != '#') {
            calls.push_back(parse_call(line));
        }
    }
    return calls;
}

std::set<std::string> read_names(const char* path) {
    std::set<std::string> names;
    std::ifstream file(path);
    for (std::string name; std::getline(file, name);) {
        names.insert(name);
    }
    return names;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    unsigned seed = 0, sequences = 0;
    bool good = true;
    for (int option; (option = getopt(argc, argv, "ub:s:t:o:m:r:")) != -1;) {
        switch (option) {
            case 'u':
                options.nobody = true;
                break;
            case 'b':
                use_up_numbers(static_cast<unsigned>(std::atoi(optarg)));
                break;
            case 's':
                good &= std::sscanf(optarg, "%u/%u", &options.part, &options.parts) == 2;
                break;
            case 't':
                options.milliseconds = std::atoi(optarg);
                break;
            case 'o':
                options.only = read_names(optarg);
                break;
            case 'm':
                options.matching.emplace(optarg);
                break;
            case 'r':
                good &= std::sscanf(optarg, "%u/%u", &seed, &sequences) == 2;
                break;
            default:
                good = false;
        }
    }
    if (!good || optind + 1 != argc) {
        std::fprintf(stderr, "differential: see the beginning of main.cpp\n");
        return 2;
    }
    umask(022);
    prctl(PR_SET_NAME, "differential");
    make_memory();
    const std::vector<Call> calls = read_table(argv[optind]);
    Runner runner(options, calls);
    if (sequences != 0) {
        runner.sequences(seed, sequences);
        return 0;
    }
    for (const Call& call : calls) {
        runner.each_argument(call);
    }
}
