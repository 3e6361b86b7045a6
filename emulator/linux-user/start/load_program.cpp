#include "emulator/linux-user/start/load_program.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/text_values.h"
#include "emulator/linux-user/loader/auxv.h"
#include "emulator/linux-user/loader/place.h"
#include "emulator/linux-user/loader/vdso.h"
#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/start/image_mapper.h"

namespace weft::user {

namespace {

// What a kernel gives the first stack beyond what is on it (setup_arg_pages).
constexpr uint64_t kStackRoom = 128 * 1024;

struct Placed {
    ImagePlan plan;
    PlacedImage image;
};

std::unexpected<ExecError> about(const ProgramFile& file, const ExecError& error) {
    return exec_fail(error.number, fmt::format("{}: {}", in_quotes(file.path), error.message));
}

std::unexpected<ExecError> no_room(const char* what, int number) {
    return exec_fail(number, fmt::format("there is no room for the {}: {}", what, std::strerror(number)));
}

ExecResult<Placed> place(Process& process, const ProgramFile& file, std::optional<uint64_t> wanted) {
    const uint64_t limit = process.core().layout().limit();
    auto plan = plan_image(file.headers, limit);
    if (!plan) {
        return about(file, plan.error());
    }
    ProcessImageMapper mapper(process.mapper(), process.memory(), file.file.get());
    auto image = place_image(*plan, mapper, wanted, limit);
    if (!image) {
        return about(file, image.error());
    }
    return Placed{std::move(*plan), *image};
}

ExecResult<AddressRange> map_vdso(Process& process) {
    const uint64_t size = round_up(kVdsoImage.bytes.size(), kGuestPage);
    const SysResult at =
        process.mapper().map(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at < 0) {
        return no_room("vDSO", static_cast<int>(-at));
    }
    const auto start = static_cast<uint64_t>(at);
    if (!process.memory().write(start, kVdsoImage.bytes.data(), kVdsoImage.bytes.size())) {
        return no_room("vDSO", EFAULT);
    }
    if (const SysResult failed = process.mapper().protect(start, size, PROT_READ | PROT_EXEC); failed < 0) {
        return no_room("vDSO", static_cast<int>(-failed));
    }
    return AddressRange{start, start + size};
}

// Linux' start_code, end_code, start_data and end_data: of segments that can be executed, and the highest start of any.
void note_segments(const Placed& placed, Program& program) {
    program.code = {~uint64_t{0}, 0};
    for (const Segment& segment : placed.plan.segments) {
        const uint64_t start = segment.vaddr + placed.image.bias;
        const uint64_t end = start + segment.file_size;
        if ((segment.prot & kMayExec) != 0) {
            program.code = {std::min(program.code.start, start), std::max(program.code.end, end)};
        }
        program.data = {std::max(program.data.start, start), std::max(program.data.end, end)};
    }
    if (program.code.end == 0) {
        program.code = {};
    }
}

AddressRange addresses(const Range& range) { return {range.start, range.end()}; }

AuxValues aux_values(const Process& process, const Placed& program, const std::optional<Placed>& interpreter,
                     uint64_t vdso, const LoadSettings& settings) {
    const long ticks = ::sysconf(_SC_CLK_TCK);
    return {.vdso = vdso,
            .hwcap = hwcap(*process.options().cpu),
            .clock_ticks = ticks > 0 ? static_cast<uint64_t>(ticks) : 100,
            .phdr_address = program.image.phdr_address,
            .phdr_count = program.plan.phdr_count,
            .interpreter_base = interpreter ? interpreter->image.bias : 0,
            .flags = settings.at_flags,
            .entry = program.image.entry,
            .uid = ::getuid(),
            .euid = ::geteuid(),
            .gid = ::getgid(),
            .egid = ::getegid(),
            .secure = settings.secure,
            .min_signal_stack = sizeof(abi::RtSigframe),
            .random = settings.random};
}

}  // namespace

ExecResult<LoadedProgram> load_program(Process& process, const Executable& executable,
                                       const LoadSettings& settings) {
    const StackStrings strings{executable.name, executable.arguments, settings.environment};
    const MemoryConfig& memory = process.core().config();
    if (const auto fits = check_stack_size(strings, executable.argument_count, memory.stack_limit); !fits) {
        return std::unexpected(fits.error());
    }
    const auto program = place(process, executable.program, process.core().layout().program_base());
    if (!program) {
        return std::unexpected(program.error());
    }
    // Before the interpreter: the topmost choice is that beside the stack.
    const auto vdso = map_vdso(process);
    if (!vdso) {
        return std::unexpected(vdso.error());
    }
    std::optional<Placed> interpreter;
    if (executable.interpreter) {
        auto placed = place(process, *executable.interpreter, std::nullopt);
        if (!placed) {
            return std::unexpected(placed.error());
        }
        interpreter = std::move(*placed);
    }

    const uint64_t top = process.core().down(process.core().layout().window_top());
    const InitialStack stack =
        build_initial_stack(top, strings, aux_values(process, *program, interpreter, vdso->start, settings));
    const SysResult mapped =
        process.stack().create(stack.bytes.size() + kStackRoom, program->plan.executable_stack);
    if (mapped < 0) {
        return no_room("stack", static_cast<int>(-mapped));
    }
    if (!process.memory().write(stack.sp, stack.bytes.data(), stack.bytes.size())) {
        return no_room("stack", EFAULT);
    }

    Program loaded{.path = canonical_path(executable.program),
                   .code = {},
                   .data = {},
                   .break_start = program->image.brk_start,
                   .stack_start = stack.sp,
                   .arguments = addresses(stack.arguments),
                   .environment = addresses(stack.environment),
                   .auxv = addresses(stack.auxv),
                   .vdso = *vdso};
    note_segments(*program, loaded);
    process.loaded(std::move(loaded));
    return LoadedProgram{.pc = (interpreter ? interpreter->image : program->image).entry & ~uint64_t{1},
                         .sp = stack.sp,
                         .signal_return = vdso->start + kVdsoImage.rt_sigreturn};
}

}  // namespace weft::user
