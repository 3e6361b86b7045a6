#include "tests/isa/emulators.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <utility>

#include "tests/support/subprocess.h"

namespace weft::isa_test {
namespace {

// All that weft has, and all counters.
constexpr const char* kWeftCpu = "max,pmu-mask=0xfffffff8";
// The same.
constexpr const char* kPeerCpu =
    "rv64,h=false,v=false,b=true,sstc=true,svinval=true,zicntr=true,zihintpause=true,zihintntl=true,zicond="
    "true,zimop=true,"
    "zawrs=true,zbc=true,zbkb=true,zbkc=true,zbkx=true,zkn=true,zkr=true,zks=true,zcb=true,zcmop=true,zabha="
    "true,"
    "zacas=true,zfa=true,"
    "zfh=true,"
    "zicbom=true,zicbop=true,zicboz=true,svnapot=true,svpbmt=true,sdtrig=false,"
    "svadu=true,svade=false,sv57=true,smepmp=true,smstateen=true,sscofpmf=true,smcntrpmf=true,pmu-mask="
    "0xfffffff8,smmpm=true,smnpm=true,ssnpm=true,sspm=true,supm=true,ssdbltrp=true,mmu=true,pmp=true";

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::string line;
    for (const char c : text) {
        if (c == '\n') {
            lines.push_back(std::exchange(line, {}));
        } else if (c != '\r') {
            line += c;
        }
    }
    if (!line.empty()) {
        lines.push_back(line);
    }
    return lines;
}

RunResult boot(const Boot& what, unsigned timeout_seconds) {
    test::Command command;
    command.arguments = what.emulator.argv;
    command.arguments.insert(command.arguments.end(), {"-kernel", what.image});
    command.timeout_seconds = timeout_seconds;
    const test::Outcome outcome = test::run(command);
    RunResult result{split_lines(outcome.output), {}};
    if (outcome.timed_out) {
        result.problem = fmt::format("still running after {} s", timeout_seconds);
    } else if (outcome.signal != 0) {
        result.problem = fmt::format("ended by signal {}", outcome.signal);
    } else if (outcome.exit_code != 0) {
        result.problem = fmt::format("exit code {}", outcome.exit_code);
    }
    if (!result.problem.empty() && !outcome.errors.empty()) {
        result.problem += ": " + outcome.errors;
    }
    return result;
}

}  // namespace

std::optional<Emulator> find_peer() {
    const char* directory = std::getenv("WEFT_PEER_DIR");
    if (directory == nullptr) {
        return std::nullopt;
    }
    const std::string program = std::string(directory) + "/bin/qemu-system-riscv64";
    if (access(program.c_str(), X_OK) != 0) {
        return std::nullopt;
    }
    return Emulator{"peer",
                    {program, "-M", "virt", "-cpu", kPeerCpu, "-m", "128M", "-bios", "none", "-nographic"}};
}

Emulator make_weft(const std::string& program, const std::string& modules, const std::string& way) {
    // Programs run most of their code once: nothing but translations, or as few as there can be.
    const std::string accel = way == "run"      ? "tcg,translate-after=255"
                              : way == "one"    ? "tcg,one-insn-per-tb=on"
                              : way == "single" ? "tcg,thread=single"
                              : way == "insn"   ? "tcg,thread=single,clock=insn"
                                                : "tcg,translate-after=0,backend=" + way;
    return {"weft",
            {program, "-module-dir", modules, "-accel", accel, "-M", "virt", "-m", "128M", "-bios", "none",
             "-nographic", "-cpu", kWeftCpu}};
}

std::vector<RunResult> run_all(const std::vector<Boot>& boots, unsigned timeout_seconds) {
    std::vector<RunResult> results(boots.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < boots.size(); ++i) {
        threads.emplace_back([&, i] { results[i] = boot(boots[i], timeout_seconds); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return results;
}

}  // namespace weft::isa_test
