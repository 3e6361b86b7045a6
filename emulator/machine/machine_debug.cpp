#include "emulator/machine/machine_debug.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "emulator/memory/reader.h"

namespace weft::machine {

namespace {

// The widest access of a device that begins at `paddr` and ends within `size` bytes.
unsigned widest(uint64_t paddr, size_t size) {
    const uint64_t aligned = paddr == 0 ? 8 : uint64_t{1} << std::countr_zero(paddr);
    return static_cast<unsigned>(std::min<uint64_t>({std::bit_floor(size), aligned, 8}));
}

// A device's bytes, by the widest accesses that it takes. `access(paddr, size, done)`.
template <class Access>
bool by_accesses(uint64_t paddr, size_t size, Access&& access) {
    for (size_t done = 0; done < size;) {
        unsigned width = widest(paddr + done, size - done);
        while (access(paddr + done, width, done) != DeviceStatus::ok) {
            if (width == 1) {
                return false;
            }
            width /= 2;
        }
        done += width;
    }
    return true;
}

bool read_physical(mem::Reader& reader, uint64_t paddr, std::span<char> bytes) {
    PageTarget target{};
    reader.lookup(paddr, &target);
    if (target.kind == PageKind::ram || target.kind == PageKind::rom) {
        return reader.read(paddr, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}) ==
               DeviceStatus::ok;
    }
    return target.kind == PageKind::device &&
           by_accesses(paddr, bytes.size(), [&](uint64_t at, unsigned width, size_t done) {
               uint64_t value = 0;
               const DeviceStatus status = reader.device_read(at, width, &value);
               for (unsigned i = 0; i < width && status == DeviceStatus::ok; ++i) {
                   bytes[done + i] = static_cast<char>(value >> 8 * i);
               }
               return status;
           });
}

bool write_physical(mem::Reader& reader, uint64_t paddr, std::string_view bytes) {
    PageTarget target{};
    reader.lookup(paddr, &target);
    if (target.kind == PageKind::ram || target.kind == PageKind::rom) {
        return reader.load_image(paddr, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}) ==
               DeviceStatus::ok;
    }
    return target.kind == PageKind::device &&
           by_accesses(paddr, bytes.size(), [&](uint64_t at, unsigned width, size_t done) {
               uint64_t value = 0;
               for (unsigned i = 0; i < width; ++i) {
                   value |= uint64_t{static_cast<uint8_t>(bytes[done + i])} << 8 * i;
               }
               return reader.device_write(at, width, value);
           });
}

}  // namespace

MachineDebug::MachineDebug(Parts parts)
    : parts_(std::move(parts)),
      ops_(parts_.ops.debug != nullptr ? parts_.ops.debug(parts_.accel) : nullptr),
      stop_work_([](void* self) { static_cast<MachineDebug*>(self)->take_stop(); }, this) {}

MachineDebug::~MachineDebug() { parts_.loop.cancel(stop_work_); }

// ---- CPUs ----

void MachineDebug::on_vcpu(unsigned cpu, const std::function<void()>& body) {
    WEFT_ASSERT(!parts_.machine.running());
    parts_.ops.vcpu_run(
        parts_.accel, parts_.vcpus[cpu], VcpuWork::sync,
        [](void* function, void*) { (*static_cast<const std::function<void()>*>(function))(); },
        const_cast<std::function<void()>*>(&body));
}

bool MachineDebug::halted(unsigned cpu) { return ops_->halted(parts_.accel, parts_.vcpus[cpu]); }

std::string MachineDebug::read_register(unsigned cpu, unsigned number) {
    std::string bytes;
    on_vcpu(cpu, [&] { bytes = debugged(cpu).read_register(number); });
    return bytes;
}

bool MachineDebug::write_register(unsigned cpu, unsigned number, std::string_view bytes) {
    bool done = false;
    on_vcpu(cpu, [&] { done = debugged(cpu).write_register(number, bytes); });
    return done;
}

// ---- memory ----

template <class Fn>
size_t MachineDebug::for_each_page(unsigned cpu, uint64_t address, size_t size, bool physical, Fn&& fn) {
    size_t done = 0;
    while (done < size) {
        const uint64_t at = address + done;
        const size_t part = std::min<uint64_t>(size - done, kPageSize - at % kPageSize);
        std::optional<uint64_t> paddr = at;
        if (!physical) {
            on_vcpu(cpu, [&] { paddr = debugged(cpu).translate(at); });
        }
        if (!paddr || !fn(*paddr, done, part)) {
            break;
        }
        done += part;
    }
    return done;
}

std::string MachineDebug::read_memory(unsigned cpu, uint64_t address, size_t size, bool physical) {
    mem::Reader reader(parts_.board.cpu(cpu).address_space());
    std::string bytes(size, '\0');
    bytes.resize(for_each_page(cpu, address, size, physical, [&](uint64_t paddr, size_t offset, size_t part) {
        return read_physical(reader, paddr, std::span(bytes).subspan(offset, part));
    }));
    return bytes;
}

bool MachineDebug::write_memory(unsigned cpu, uint64_t address, std::string_view bytes, bool physical) {
    mem::Reader reader(parts_.board.cpu(cpu).address_space());
    return for_each_page(cpu, address, bytes.size(), physical,
                         [&](uint64_t paddr, size_t offset, size_t part) {
                             return write_physical(reader, paddr, bytes.substr(offset, part));
                         }) == bytes.size();
}

// ---- running ----

bool MachineDebug::set_points(std::span<const DebugPoint> points) {
    return ops_->set_points(parts_.accel, points.data(), static_cast<uint32_t>(points.size()));
}

Result<> MachineDebug::resume(std::span<const DebugRun> each) {
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        ops_->set_run(parts_.accel, parts_.vcpus[cpu], each[cpu]);
    }
    resuming_ = true;
    Result<> done = parts_.machine.set_running(true);
    resuming_ = false;
    return done;
}

void MachineDebug::before_running() {
    if (!available()) {
        return;
    }
    {
        // Of before: it was told, or nobody looked; whoever stopped meets it again.
        MutexLock lock(mutex_);
        stop_.reset();
    }
    if (!resuming_) {
        if (listener_ != nullptr) {
            listener_->machine_resumes();
        }
        for (Vcpu* vcpu : parts_.vcpus) {
            ops_->set_run(parts_.accel, vcpu, DebugRun::run);
        }
    }
}

void MachineDebug::after_stopping() {
    if (listener_ != nullptr) {
        listener_->machine_stopped(why_);
    }
}

void MachineDebug::vcpu_stopped(const DebugStop& stop) {
    {
        MutexLock lock(mutex_);
        stop_ = stop_.value_or(stop);
    }
    parts_.loop.post(stop_work_);
}

void MachineDebug::take_stop() {
    std::optional<DebugStop> stop;
    {
        MutexLock lock(mutex_);
        stop = std::exchange(stop_, std::nullopt);
    }
    if (stop && parts_.machine.running()) {
        why_ = &*stop;
        (void)parts_.machine.set_running(false);  // that never fails
        why_ = nullptr;
    }
}

}  // namespace weft::machine
