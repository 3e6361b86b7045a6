// What the user asked for on the command line of weft-system-riscv64, checked as far as the words themselves allow.
// Nothing here touches a file: option_files.h opens what options name.
//
// emulator/system is the program: options, files, terminal and signals. Nothing includes it but its tests; it puts backends,
// board, accelerator and machine together, and knows boards and devices by the lists in emulator/hw.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text_values.h"
#include "emulator/accel/accel_chain.h"
#include "emulator/backend/block/disk_image.h"
#include "emulator/backend/char/stream_socket.h"
#include "emulator/backend/fs/shared_folder.h"
#include "emulator/backend/net/line_net_config.h"
#include "emulator/backend/net/user_net_config.h"
#include "emulator/control/descriptors.h"
#include "emulator/hw/core/board.h"
#include "emulator/system/option_loader.h"

namespace weft::sys {

inline constexpr const char* kProgramName = "weft-system-riscv64";

struct SerialChoice {
    enum class Kind { null, stdio, mux_stdio, file, pty, socket };
    Kind kind = Kind::mux_stdio;
    std::string path = {};              // file
    bool append = false;                // file: what it holds stays
    backend::SocketChoice socket = {};  // socket
    bool shared = false;                // pty, socket: with the monitor, as mux_stdio is
    std::string id = {};                // of -chardev; empty: none
};

// QMP, on a line of its own.
struct QmpChoice {
    SerialChoice line;  // never shared
    bool pretty = false;
};

struct DriveChoice {
    std::string file;
    std::string id;  // empty: not named
    bool read_only = false;
    backend::ImageFormat format = backend::ImageFormat::probe;
    bool attach = true;                 // if=virtio: the board makes a disk of it; if=none: a -device does
    bool flash = false;                 // if=pflash: a flash memory's
    std::optional<uint64_t> unit = {};  // which one; none: the next
    bool cdrom = false;                 // media=cdrom: read-only, whatever else was said
    bool snapshot = false;              // writes go to a temporary file
    bool write_through = false;         // writes are on the host's disk when the guest hears of them
    bool unmap = false;                 // what the guest discards is given back to the host
    backend::DetectZeroes detect_zeroes = backend::DetectZeroes::off;
    bool node = false;        // of -blockdev: its id is a node's name
    bool no_backing = false;  // a qcow2 image is over no other, whatever it names
};

// What -blockdev says of one node.
struct BlockNode {
    std::string name;
    std::map<std::string, std::string> items;  // as written, nested keys ("file.filename") among them
    std::string below = {};                    // the node that is its file, if that has a name
};

// -global: what holds for all devices of a driver.
struct GlobalChoice {
    std::string driver;
    KeyValue item;
};

// -fw_cfg: a file that the guest's firmware reads by its name.
struct FwCfgChoice {
    std::string name;
    std::string file;  // what it holds; empty: `text`
    std::string text;
};

// -object: what devices refer to by its id.
struct ObjectChoice {
    enum class Kind {
        rng_builtin,
        rng_random,
        secret,    // of encrypted images and connections, of which there are none: it is kept for nobody
        memory,    // the board's RAM, or that of a node, where -machine memory-backend= or -numa names it
        iothread,  // what disks name and do not need: see docs/options.md
    };
    Kind kind = Kind::rng_builtin;
    std::string id;
    std::string filename;  // rng_random; memory: a file or a folder, empty: memory of the process
    // memory:
    uint64_t size = 0;    // bytes
    uint64_t offset = 0;  // in the file
    bool share = false;
    bool prealloc = false;
};

// What a part of the board's RAM lies in.
struct MemoryChoice {
    std::string id;         // of the object; empty: -mem-path or -mem-prealloc
    uint64_t size = 0;      // bytes
    std::string path;       // a file, or a folder for a temporary one; empty: memory of the process
    uint64_t offset = 0;    // in the file
    bool share = false;     // stores are seen through the file
    bool populate = false;  // all of it is there before the guest runs
};

// -netdev, or the network of a -nic.
struct NetworkChoice {
    std::string id;
    backend::UserNetConfig user = {};
    std::string kind = "user";  // else: that of `line`
    std::optional<backend::LineNetConfig> line = {};
};

// -fsdev, or the folder of a -virtfs.
struct FolderChoice {
    std::string id;
    backend::SharedFolderConfig folder;
};

struct DeviceChoice {
    hw::DeviceConfig config;
    std::optional<size_t>
        drive;  // what the configuration is to be connected to: an index into Options::drives
};

// -semihosting, -semihosting-config.
struct SemihostingChoice {
    bool user_mode = false;
    std::vector<std::string> arguments;  // the guest's command line; empty: kernel and -append
    // chardev=: the line of the console. `shared`: the serial port's, which keeps its input. Else a line of its own; none: standard error.
    bool shared = false;
    std::optional<SerialChoice> line = {};
};

// -rtc: what the guest's clock of the day shows.
struct RtcChoice {
    enum class Base { utc, local, date };
    Base base = Base::utc;
    int64_t date_s = 0;        // date: seconds since 1970 at the start
    bool follows_host = true;  // what happens to the host's clock later happens to the guest's
};

// A request for text instead of a machine.
enum class HelpTopic {
    none,
    usage,
    version,
    accels,
    accel_properties,
    machines,
    cpus,
    devices,
    device_properties,
    log_items
};

struct Options {
    HelpTopic help = HelpTopic::none;
    std::string help_subject;  // accel_properties, device_properties: whose

    std::vector<loader::AccelChoice> accelerators;  // to be tried in this order; never empty
    std::optional<std::string> module_dir;

    const hw::MachineType* machine = nullptr;  // never null where no help is asked for
    bool no_machine = false;  // -machine none: QMP and monitors alone, `machine` is what there could be
    // -machine NAME=on|off of MachineType::switches; the last of one member wins.
    std::vector<std::pair<bool hw::BootConfig::*, bool>> switches;
    unsigned cpus = 1;
    unsigned max_cpus = 1;
    std::string cpu;  // as MachineType::check_cpu takes it; never empty where no help is asked for
    uint64_t memory_bytes = uint64_t{128} << 20;
    std::vector<MemoryChoice> memory;  // all of it; empty: nothing is said of it
    std::vector<hw::NumaNode> nodes;   // -numa; empty: none

    std::string bios = "default";  // default, none or a path
    std::optional<std::string> kernel;
    std::optional<std::string> initrd;
    std::optional<std::string> append;
    std::optional<std::string> dtb;
    std::vector<LoadChoice> loads;  // -device loader

    SerialChoice serial;
    bool monitor_on_stdio = false;        // a monitor alone on the terminal (mux_stdio brings its own)
    std::optional<SerialChoice> monitor;  // a monitor alone on a pseudo-terminal or socket
    std::vector<QmpChoice> qmp;           // one of them on the terminal at most
    std::string name;                     // -name; empty: none
    std::string uuid;                     // -uuid; empty: none
    std::vector<DriveChoice> drives;
    std::vector<BlockNode>
        block_nodes;  // all of them; those that are no other node's file are drives as well
    std::vector<GlobalChoice> globals;
    // Images of flash memories, by unit: indices into drives. No more than MachineType::flashes.
    std::vector<std::optional<size_t>> flash;
    std::vector<FwCfgChoice> fw_cfg;
    std::vector<ObjectChoice> objects;       // ids are distinct
    std::vector<NetworkChoice> networks;     // ids are distinct; each is one device's at most
    std::vector<FolderChoice> folders;       // ids are distinct
    std::vector<SerialChoice> device_lines;  // -chardev that devices name; ids are distinct, none is shared
    std::vector<DeviceChoice> devices;    // in the order of the command line, disks of if=virtio drives first
    std::vector<hw::DeviceConfig> parts;  // of the board's own, those that -global changed

    std::vector<control::DescriptorSet> descriptor_sets;  // -add-fd, by their numbers

    std::vector<std::string> firmware_dirs;  // -L
    std::optional<std::string> dump_tree;  // -machine dumpdtb=: write the device tree there, and run nothing
    std::optional<std::string> pid_file;
    bool daemonize = false;

    std::optional<SerialChoice> gdb;  // -gdb, -s: the line on which a debugger may come

    std::optional<SemihostingChoice> semihosting;

    bool no_reboot = false;
    RtcChoice rtc;
    uint8_t escape = 1;        // -echr: begins the terminal's commands
    bool no_shutdown = false;  // the machine stays, without running, where the guest ends it
    bool start_stopped = false;
    std::optional<std::string> incoming;  // -incoming: where the machine comes from, or "defer"

    std::optional<std::string> load_snapshot;  // -loadvm

    bool perf_map = false;  // -perfmap and -jitdump: properties of each accelerator
    bool jitdump = false;

    std::string log_items;                // -d, as written; empty: none
    std::optional<std::string> log_file;  // -D
    std::string log_filter;               // -dfilter, as written; empty: everything
};

// Parses the arguments after the program's name. Options are written -name or --name, their values as the next argument
// or after '='; a later one overrides an earlier one where only one makes sense. Where help is asked for, the rest need
// not make a machine.
Result<Options> parse_options(std::span<const char* const> arguments);

// The text of -help. Scripts look for QEMU in it, and take the fourth word for the version.
std::string usage_text(const std::string& version);

// The names of the options that take a value, without dashes; but -sandbox, which there is for who does without it.
std::vector<std::string> names_of_options_with_values();

// Texts of "-machine help" and the like (but those of accelerators: accel_loader.h).
std::string machines_text();
std::string cpus_text();
std::string devices_text();
Result<std::string> device_text(const std::string& name);

}  // namespace weft::sys
