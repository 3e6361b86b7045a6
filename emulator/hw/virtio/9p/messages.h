// The messages of 9P2000.L, the dialect of Linux (its fs/9p and net/9p; diod's protocol.md describes them): T... is what a client sends,
// R... what it is answered. Names of fields are those of weft; numbers and order are the protocol's.
#pragma once

#include "emulator/hw/virtio/9p/codec.h"

namespace weft::hw::p9 {

inline constexpr uint32_t kNoFid = UINT32_MAX;  // of auth_fid: there is none

// Error number of the host's, which is the guest's as well: both are Linux.
struct Rlerror {
    uint32_t error{};
    static constexpr uint8_t kNumber = 7;
    static constexpr const char* kName = "Rlerror";
    static constexpr std::tuple kFields{Field{"error", &Rlerror::error}};
};

struct Tstatfs {
    uint32_t fid{};
    static constexpr uint8_t kNumber = 8;
    static constexpr const char* kName = "Tstatfs";
    static constexpr std::tuple kFields{Field{"fid", &Tstatfs::fid}};
};

// Statfs(2).
struct Rstatfs {
    uint32_t type{};
    uint32_t block_size{};
    uint64_t blocks{};
    uint64_t free{};
    uint64_t available{};
    uint64_t files{};
    uint64_t free_files{};
    uint64_t fs_id{};
    uint32_t name_size{};
    static constexpr uint8_t kNumber = 9;
    static constexpr const char* kName = "Rstatfs";
    static constexpr std::tuple kFields{Field{"type", &Rstatfs::type},
                                        Field{"block_size", &Rstatfs::block_size},
                                        Field{"blocks", &Rstatfs::blocks},
                                        Field{"free", &Rstatfs::free},
                                        Field{"available", &Rstatfs::available},
                                        Field{"files", &Rstatfs::files},
                                        Field{"free_files", &Rstatfs::free_files},
                                        Field{"fs_id", &Rstatfs::fs_id},
                                        Field{"name_size", &Rstatfs::name_size}};
};

// Flags: Linux's of open(2).
struct Tlopen {
    uint32_t fid{};
    uint32_t flags{};
    static constexpr uint8_t kNumber = 12;
    static constexpr const char* kName = "Tlopen";
    static constexpr std::tuple kFields{Field{"fid", &Tlopen::fid}, Field{"flags", &Tlopen::flags}};
};

// Io_size 0: what the message's size allows.
struct Rlopen {
    Qid qid{};
    uint32_t io_size{};
    static constexpr uint8_t kNumber = 13;
    static constexpr const char* kName = "Rlopen";
    static constexpr std::tuple kFields{Field{"qid", &Rlopen::qid}, Field{"io_size", &Rlopen::io_size}};
};

// Fid: the folder, which becomes the open file.
struct Tlcreate {
    uint32_t fid{};
    Text name{};
    uint32_t flags{};
    uint32_t mode{};
    uint32_t gid{};
    static constexpr uint8_t kNumber = 14;
    static constexpr const char* kName = "Tlcreate";
    static constexpr std::tuple kFields{Field{"fid", &Tlcreate::fid}, Field{"name", &Tlcreate::name},
                                        Field{"flags", &Tlcreate::flags}, Field{"mode", &Tlcreate::mode},
                                        Field{"gid", &Tlcreate::gid}};
};

struct Rlcreate {
    Qid qid{};
    uint32_t io_size{};
    static constexpr uint8_t kNumber = 15;
    static constexpr const char* kName = "Rlcreate";
    static constexpr std::tuple kFields{Field{"qid", &Rlcreate::qid}, Field{"io_size", &Rlcreate::io_size}};
};

// Fid: the folder.
struct Tsymlink {
    uint32_t fid{};
    Text name{};
    Text target{};
    uint32_t gid{};
    static constexpr uint8_t kNumber = 16;
    static constexpr const char* kName = "Tsymlink";
    static constexpr std::tuple kFields{Field{"fid", &Tsymlink::fid}, Field{"name", &Tsymlink::name},
                                        Field{"target", &Tsymlink::target}, Field{"gid", &Tsymlink::gid}};
};

struct Rsymlink {
    Qid qid{};
    static constexpr uint8_t kNumber = 17;
    static constexpr const char* kName = "Rsymlink";
    static constexpr std::tuple kFields{Field{"qid", &Rsymlink::qid}};
};

// Mode: with the file's kind.
struct Tmknod {
    uint32_t fid{};
    Text name{};
    uint32_t mode{};
    uint32_t major{};
    uint32_t minor{};
    uint32_t gid{};
    static constexpr uint8_t kNumber = 18;
    static constexpr const char* kName = "Tmknod";
    static constexpr std::tuple kFields{Field{"fid", &Tmknod::fid},     Field{"name", &Tmknod::name},
                                        Field{"mode", &Tmknod::mode},   Field{"major", &Tmknod::major},
                                        Field{"minor", &Tmknod::minor}, Field{"gid", &Tmknod::gid}};
};

struct Rmknod {
    Qid qid{};
    static constexpr uint8_t kNumber = 19;
    static constexpr const char* kName = "Rmknod";
    static constexpr std::tuple kFields{Field{"qid", &Rmknod::qid}};
};

// To a name in folder folder_fid.
struct Trename {
    uint32_t fid{};
    uint32_t folder_fid{};
    Text name{};
    static constexpr uint8_t kNumber = 20;
    static constexpr const char* kName = "Trename";
    static constexpr std::tuple kFields{Field{"fid", &Trename::fid},
                                        Field{"folder_fid", &Trename::folder_fid},
                                        Field{"name", &Trename::name}};
};

struct Rrename {
    static constexpr uint8_t kNumber = 21;
    static constexpr const char* kName = "Rrename";
    static constexpr std::tuple<> kFields{};
};

struct Treadlink {
    uint32_t fid{};
    static constexpr uint8_t kNumber = 22;
    static constexpr const char* kName = "Treadlink";
    static constexpr std::tuple kFields{Field{"fid", &Treadlink::fid}};
};

struct Rreadlink {
    Text target{};
    static constexpr uint8_t kNumber = 23;
    static constexpr const char* kName = "Rreadlink";
    static constexpr std::tuple kFields{Field{"target", &Rreadlink::target}};
};

// Mask: what the client wants to know; it is told all that there is.
struct Tgetattr {
    uint32_t fid{};
    uint64_t mask{};
    static constexpr uint8_t kNumber = 24;
    static constexpr const char* kName = "Tgetattr";
    static constexpr std::tuple kFields{Field{"fid", &Tgetattr::fid}, Field{"mask", &Tgetattr::mask}};
};

// Valid: which of these are known.
struct Rgetattr {
    uint64_t valid{};
    Qid qid{};
    uint32_t mode{};
    uint32_t uid{};
    uint32_t gid{};
    uint64_t links{};
    uint64_t device{};
    uint64_t size{};
    uint64_t block_size{};
    uint64_t blocks{};
    uint64_t accessed{};
    uint64_t accessed_ns{};
    uint64_t modified{};
    uint64_t modified_ns{};
    uint64_t changed{};
    uint64_t changed_ns{};
    uint64_t born{};
    uint64_t born_ns{};
    uint64_t generation{};
    uint64_t data_version{};
    static constexpr uint8_t kNumber = 25;
    static constexpr const char* kName = "Rgetattr";
    static constexpr std::tuple kFields{Field{"valid", &Rgetattr::valid},
                                        Field{"qid", &Rgetattr::qid},
                                        Field{"mode", &Rgetattr::mode},
                                        Field{"uid", &Rgetattr::uid},
                                        Field{"gid", &Rgetattr::gid},
                                        Field{"links", &Rgetattr::links},
                                        Field{"device", &Rgetattr::device},
                                        Field{"size", &Rgetattr::size},
                                        Field{"block_size", &Rgetattr::block_size},
                                        Field{"blocks", &Rgetattr::blocks},
                                        Field{"accessed", &Rgetattr::accessed},
                                        Field{"accessed_ns", &Rgetattr::accessed_ns},
                                        Field{"modified", &Rgetattr::modified},
                                        Field{"modified_ns", &Rgetattr::modified_ns},
                                        Field{"changed", &Rgetattr::changed},
                                        Field{"changed_ns", &Rgetattr::changed_ns},
                                        Field{"born", &Rgetattr::born},
                                        Field{"born_ns", &Rgetattr::born_ns},
                                        Field{"generation", &Rgetattr::generation},
                                        Field{"data_version", &Rgetattr::data_version}};
};

// Valid: which of these are to be set.
struct Tsetattr {
    uint32_t fid{};
    uint32_t valid{};
    uint32_t mode{};
    uint32_t uid{};
    uint32_t gid{};
    uint64_t size{};
    uint64_t accessed{};
    uint64_t accessed_ns{};
    uint64_t modified{};
    uint64_t modified_ns{};
    static constexpr uint8_t kNumber = 26;
    static constexpr const char* kName = "Tsetattr";
    static constexpr std::tuple kFields{
        Field{"fid", &Tsetattr::fid},           Field{"valid", &Tsetattr::valid},
        Field{"mode", &Tsetattr::mode},         Field{"uid", &Tsetattr::uid},
        Field{"gid", &Tsetattr::gid},           Field{"size", &Tsetattr::size},
        Field{"accessed", &Tsetattr::accessed}, Field{"accessed_ns", &Tsetattr::accessed_ns},
        Field{"modified", &Tsetattr::modified}, Field{"modified_ns", &Tsetattr::modified_ns}};
};

struct Rsetattr {
    static constexpr uint8_t kNumber = 27;
    static constexpr const char* kName = "Rsetattr";
    static constexpr std::tuple<> kFields{};
};

// New_fid becomes the attribute's value, or without a name the list of all names.
struct Txattrwalk {
    uint32_t fid{};
    uint32_t new_fid{};
    Text name{};
    static constexpr uint8_t kNumber = 30;
    static constexpr const char* kName = "Txattrwalk";
    static constexpr std::tuple kFields{Field{"fid", &Txattrwalk::fid},
                                        Field{"new_fid", &Txattrwalk::new_fid},
                                        Field{"name", &Txattrwalk::name}};
};

struct Rxattrwalk {
    uint64_t size{};
    static constexpr uint8_t kNumber = 31;
    static constexpr const char* kName = "Rxattrwalk";
    static constexpr std::tuple kFields{Field{"size", &Rxattrwalk::size}};
};

// Fid becomes what the value is written to; it is set when the fid is clunked.
struct Txattrcreate {
    uint32_t fid{};
    Text name{};
    uint64_t size{};
    uint32_t flags{};
    static constexpr uint8_t kNumber = 32;
    static constexpr const char* kName = "Txattrcreate";
    static constexpr std::tuple kFields{Field{"fid", &Txattrcreate::fid}, Field{"name", &Txattrcreate::name},
                                        Field{"size", &Txattrcreate::size},
                                        Field{"flags", &Txattrcreate::flags}};
};

struct Rxattrcreate {
    static constexpr uint8_t kNumber = 33;
    static constexpr const char* kName = "Rxattrcreate";
    static constexpr std::tuple<> kFields{};
};

struct Treaddir {
    uint32_t fid{};
    uint64_t offset{};
    uint32_t count{};
    static constexpr uint8_t kNumber = 40;
    static constexpr const char* kName = "Treaddir";
    static constexpr std::tuple kFields{Field{"fid", &Treaddir::fid}, Field{"offset", &Treaddir::offset},
                                        Field{"count", &Treaddir::count}};
};

// Entries: qid[13] offset[8] type[1] name[s].
struct Rreaddir {
    Data entries{};
    static constexpr uint8_t kNumber = 41;
    static constexpr const char* kName = "Rreaddir";
    static constexpr std::tuple kFields{Field{"entries", &Rreaddir::entries}};
};

struct Tfsync {
    uint32_t fid{};
    uint32_t data_only{};
    static constexpr uint8_t kNumber = 50;
    static constexpr const char* kName = "Tfsync";
    static constexpr std::tuple kFields{Field{"fid", &Tfsync::fid}, Field{"data_only", &Tfsync::data_only}};
};

struct Rfsync {
    static constexpr uint8_t kNumber = 51;
    static constexpr const char* kName = "Rfsync";
    static constexpr std::tuple<> kFields{};
};

// As fcntl(2) has them.
struct Tlock {
    uint32_t fid{};
    uint8_t type{};
    uint32_t flags{};
    uint64_t start{};
    uint64_t length{};
    uint32_t process{};
    Text client{};
    static constexpr uint8_t kNumber = 52;
    static constexpr const char* kName = "Tlock";
    static constexpr std::tuple kFields{Field{"fid", &Tlock::fid},       Field{"type", &Tlock::type},
                                        Field{"flags", &Tlock::flags},   Field{"start", &Tlock::start},
                                        Field{"length", &Tlock::length}, Field{"process", &Tlock::process},
                                        Field{"client", &Tlock::client}};
};

struct Rlock {
    uint8_t status{};
    static constexpr uint8_t kNumber = 53;
    static constexpr const char* kName = "Rlock";
    static constexpr std::tuple kFields{Field{"status", &Rlock::status}};
};

struct Tgetlock {
    uint32_t fid{};
    uint8_t type{};
    uint64_t start{};
    uint64_t length{};
    uint32_t process{};
    Text client{};
    static constexpr uint8_t kNumber = 54;
    static constexpr const char* kName = "Tgetlock";
    static constexpr std::tuple kFields{
        Field{"fid", &Tgetlock::fid},         Field{"type", &Tgetlock::type},
        Field{"start", &Tgetlock::start},     Field{"length", &Tgetlock::length},
        Field{"process", &Tgetlock::process}, Field{"client", &Tgetlock::client}};
};

struct Rgetlock {
    uint8_t type{};
    uint64_t start{};
    uint64_t length{};
    uint32_t process{};
    Text client{};
    static constexpr uint8_t kNumber = 55;
    static constexpr const char* kName = "Rgetlock";
    static constexpr std::tuple kFields{
        Field{"type", &Rgetlock::type}, Field{"start", &Rgetlock::start}, Field{"length", &Rgetlock::length},
        Field{"process", &Rgetlock::process}, Field{"client", &Rgetlock::client}};
};

struct Tlink {
    uint32_t folder_fid{};
    uint32_t fid{};
    Text name{};
    static constexpr uint8_t kNumber = 70;
    static constexpr const char* kName = "Tlink";
    static constexpr std::tuple kFields{Field{"folder_fid", &Tlink::folder_fid}, Field{"fid", &Tlink::fid},
                                        Field{"name", &Tlink::name}};
};

struct Rlink {
    static constexpr uint8_t kNumber = 71;
    static constexpr const char* kName = "Rlink";
    static constexpr std::tuple<> kFields{};
};

// Fid: the folder.
struct Tmkdir {
    uint32_t fid{};
    Text name{};
    uint32_t mode{};
    uint32_t gid{};
    static constexpr uint8_t kNumber = 72;
    static constexpr const char* kName = "Tmkdir";
    static constexpr std::tuple kFields{Field{"fid", &Tmkdir::fid}, Field{"name", &Tmkdir::name},
                                        Field{"mode", &Tmkdir::mode}, Field{"gid", &Tmkdir::gid}};
};

struct Rmkdir {
    Qid qid{};
    static constexpr uint8_t kNumber = 73;
    static constexpr const char* kName = "Rmkdir";
    static constexpr std::tuple kFields{Field{"qid", &Rmkdir::qid}};
};

struct Trenameat {
    uint32_t old_folder{};
    Text old_name{};
    uint32_t new_folder{};
    Text new_name{};
    static constexpr uint8_t kNumber = 74;
    static constexpr const char* kName = "Trenameat";
    static constexpr std::tuple kFields{
        Field{"old_folder", &Trenameat::old_folder}, Field{"old_name", &Trenameat::old_name},
        Field{"new_folder", &Trenameat::new_folder}, Field{"new_name", &Trenameat::new_name}};
};

struct Rrenameat {
    static constexpr uint8_t kNumber = 75;
    static constexpr const char* kName = "Rrenameat";
    static constexpr std::tuple<> kFields{};
};

// Flags: AT_REMOVEDIR.
struct Tunlinkat {
    uint32_t folder_fid{};
    Text name{};
    uint32_t flags{};
    static constexpr uint8_t kNumber = 76;
    static constexpr const char* kName = "Tunlinkat";
    static constexpr std::tuple kFields{Field{"folder_fid", &Tunlinkat::folder_fid},
                                        Field{"name", &Tunlinkat::name}, Field{"flags", &Tunlinkat::flags}};
};

struct Runlinkat {
    static constexpr uint8_t kNumber = 77;
    static constexpr const char* kName = "Runlinkat";
    static constexpr std::tuple<> kFields{};
};

struct Tversion {
    uint32_t size{};
    Text version{};
    static constexpr uint8_t kNumber = 100;
    static constexpr const char* kName = "Tversion";
    static constexpr std::tuple kFields{Field{"size", &Tversion::size}, Field{"version", &Tversion::version}};
};

struct Rversion {
    uint32_t size{};
    Text version{};
    static constexpr uint8_t kNumber = 101;
    static constexpr const char* kName = "Rversion";
    static constexpr std::tuple kFields{Field{"size", &Rversion::size}, Field{"version", &Rversion::version}};
};

struct Tauth {
    uint32_t auth_fid{};
    Text user{};
    Text tree{};
    uint32_t uid{};
    static constexpr uint8_t kNumber = 102;
    static constexpr const char* kName = "Tauth";
    static constexpr std::tuple kFields{Field{"auth_fid", &Tauth::auth_fid}, Field{"user", &Tauth::user},
                                        Field{"tree", &Tauth::tree}, Field{"uid", &Tauth::uid}};
};

// Fid becomes the root.
struct Tattach {
    uint32_t fid{};
    uint32_t auth_fid{};
    Text user{};
    Text tree{};
    uint32_t uid{};
    static constexpr uint8_t kNumber = 104;
    static constexpr const char* kName = "Tattach";
    static constexpr std::tuple kFields{Field{"fid", &Tattach::fid}, Field{"auth_fid", &Tattach::auth_fid},
                                        Field{"user", &Tattach::user}, Field{"tree", &Tattach::tree},
                                        Field{"uid", &Tattach::uid}};
};

struct Rattach {
    Qid qid{};
    static constexpr uint8_t kNumber = 105;
    static constexpr const char* kName = "Rattach";
    static constexpr std::tuple kFields{Field{"qid", &Rattach::qid}};
};

struct Tflush {
    uint16_t old_tag{};
    static constexpr uint8_t kNumber = 108;
    static constexpr const char* kName = "Tflush";
    static constexpr std::tuple kFields{Field{"old_tag", &Tflush::old_tag}};
};

struct Rflush {
    static constexpr uint8_t kNumber = 109;
    static constexpr const char* kName = "Rflush";
    static constexpr std::tuple<> kFields{};
};

struct Twalk {
    uint32_t fid{};
    uint32_t new_fid{};
    Names names{};
    static constexpr uint8_t kNumber = 110;
    static constexpr const char* kName = "Twalk";
    static constexpr std::tuple kFields{Field{"fid", &Twalk::fid}, Field{"new_fid", &Twalk::new_fid},
                                        Field{"names", &Twalk::names}};
};

// As many as names were there.
struct Rwalk {
    Qids qids{};
    static constexpr uint8_t kNumber = 111;
    static constexpr const char* kName = "Rwalk";
    static constexpr std::tuple kFields{Field{"qids", &Rwalk::qids}};
};

struct Tread {
    uint32_t fid{};
    uint64_t offset{};
    uint32_t count{};
    static constexpr uint8_t kNumber = 116;
    static constexpr const char* kName = "Tread";
    static constexpr std::tuple kFields{Field{"fid", &Tread::fid}, Field{"offset", &Tread::offset},
                                        Field{"count", &Tread::count}};
};

struct Rread {
    Data data{};
    static constexpr uint8_t kNumber = 117;
    static constexpr const char* kName = "Rread";
    static constexpr std::tuple kFields{Field{"data", &Rread::data}};
};

struct Twrite {
    uint32_t fid{};
    uint64_t offset{};
    Data data{};
    static constexpr uint8_t kNumber = 118;
    static constexpr const char* kName = "Twrite";
    static constexpr std::tuple kFields{Field{"fid", &Twrite::fid}, Field{"offset", &Twrite::offset},
                                        Field{"data", &Twrite::data}};
};

struct Rwrite {
    uint32_t count{};
    static constexpr uint8_t kNumber = 119;
    static constexpr const char* kName = "Rwrite";
    static constexpr std::tuple kFields{Field{"count", &Rwrite::count}};
};

// The fid means nothing any more.
struct Tclunk {
    uint32_t fid{};
    static constexpr uint8_t kNumber = 120;
    static constexpr const char* kName = "Tclunk";
    static constexpr std::tuple kFields{Field{"fid", &Tclunk::fid}};
};

struct Rclunk {
    static constexpr uint8_t kNumber = 121;
    static constexpr const char* kName = "Rclunk";
    static constexpr std::tuple<> kFields{};
};

// Removes the file, and clunks the fid whatever comes of that.
struct Tremove {
    uint32_t fid{};
    static constexpr uint8_t kNumber = 122;
    static constexpr const char* kName = "Tremove";
    static constexpr std::tuple kFields{Field{"fid", &Tremove::fid}};
};

struct Rremove {
    static constexpr uint8_t kNumber = 123;
    static constexpr const char* kName = "Rremove";
    static constexpr std::tuple<> kFields{};
};

template <class... Messages>
struct MessageList {};

// All that a server is asked.
using Requests =
    MessageList<Tstatfs, Tlopen, Tlcreate, Tsymlink, Tmknod, Trename, Treadlink, Tgetattr, Tsetattr,
                Txattrwalk, Txattrcreate, Treaddir, Tfsync, Tlock, Tgetlock, Tlink, Tmkdir, Trenameat,
                Tunlinkat, Tversion, Tauth, Tattach, Tflush, Twalk, Tread, Twrite, Tclunk, Tremove>;

}  // namespace weft::hw::p9
