// A 9P2000.L file server for one client: a message in, its answer out.
//
// hw/virtio/9p holds the protocol: how messages lie in bytes (codec.h, messages.h), what the client's numbers mean (fids.h, qids.h), and
// this. The device that queues messages uses it; it knows the tree of files by backend/fs/fs_backend.h alone, and no queue.
//
// Each message is answered before the next one is taken. So a flush finds nothing to be flushed: its old message was answered. Locks of
// byte ranges are granted: the guest's kernel keeps those of its own processes, and others than the guest do not take part.
//
// The client is hostile. It can do to the tree what FsBackend does, and nothing else; what it can make the server keep is bounded
// (FidTable, QidMap, kMaxSize). Used by one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "emulator/backend/fs/fs_backend.h"
#include "emulator/hw/virtio/9p/fids.h"
#include "emulator/hw/virtio/9p/messages.h"
#include "emulator/hw/virtio/9p/qids.h"

namespace weft::hw::p9 {

class Server {
  public:
    // Sizes of messages that a client may agree on: of the smallest, and what is cut to the largest.
    static constexpr uint32_t kMinSize = 4096;
    static constexpr uint32_t kMaxSize = 1 << 20;
    // What an error takes: the shortest room that an answer may have.
    static constexpr size_t kErrorSize = kHeaderSize + 4;

    // The backend outlives it. `max_open`: files that may be open at a time.
    Server(backend::FsBackend& files, QidMap qids, size_t max_open);

    // Forgets the client: no fid means anything.
    void reset();
    // Whether the client has any.
    bool has_fids() const { return fids_.size() != 0; }

    // Answers a message, which is cut or nonsense perhaps but has a header: kHeaderSize bytes at least. `reply` has room for kErrorSize bytes
    // at least. Returns the answer's size.
    size_t answer(std::span<const uint8_t> message, std::span<uint8_t> reply);

  private:
    struct Reply;
    template <class Message>
    bool answer_if(uint8_t number, FieldReader& reader, Reply& reply);
    template <class... Messages>
    bool dispatch(MessageList<Messages...> list, uint8_t number, FieldReader& reader, Reply& reply);

    // One for each message. What it gives is the answer, or the number of an error.
    backend::FsResult<> handle(const Tversion& message, Reply& reply);
    backend::FsResult<> handle(const Tauth& message, Reply& reply);
    backend::FsResult<> handle(const Tattach& message, Reply& reply);
    backend::FsResult<> handle(const Tflush& message, Reply& reply);
    backend::FsResult<> handle(const Twalk& message, Reply& reply);
    backend::FsResult<> handle(const Tclunk& message, Reply& reply);
    backend::FsResult<> handle(const Tgetattr& message, Reply& reply);
    backend::FsResult<> handle(const Tsetattr& message, Reply& reply);
    backend::FsResult<> handle(const Tstatfs& message, Reply& reply);
    // server_files.cpp
    backend::FsResult<> handle(const Tlopen& message, Reply& reply);
    backend::FsResult<> handle(const Tlcreate& message, Reply& reply);
    backend::FsResult<> handle(const Tread& message, Reply& reply);
    backend::FsResult<> handle(const Twrite& message, Reply& reply);
    backend::FsResult<> handle(const Treaddir& message, Reply& reply);
    backend::FsResult<> handle(const Tfsync& message, Reply& reply);
    backend::FsResult<> handle(const Tlock& message, Reply& reply);
    backend::FsResult<> handle(const Tgetlock& message, Reply& reply);
    backend::FsResult<> handle(const Txattrwalk& message, Reply& reply);
    backend::FsResult<> handle(const Txattrcreate& message, Reply& reply);
    // server_names.cpp
    backend::FsResult<> handle(const Tsymlink& message, Reply& reply);
    backend::FsResult<> handle(const Tmknod& message, Reply& reply);
    backend::FsResult<> handle(const Tmkdir& message, Reply& reply);
    backend::FsResult<> handle(const Tlink& message, Reply& reply);
    backend::FsResult<> handle(const Trename& message, Reply& reply);
    backend::FsResult<> handle(const Trenameat& message, Reply& reply);
    backend::FsResult<> handle(const Tremove& message, Reply& reply);
    backend::FsResult<> handle(const Tunlinkat& message, Reply& reply);
    backend::FsResult<> handle(const Treadlink& message, Reply& reply);

    // A fid of a file or folder; EBADF.
    backend::FsResult<Fid*> file_fid(uint32_t number);
    // A name in the folder of a fid. ENOENT, ENAMETOOLONG, EINVAL: no such thing can be called that.
    backend::FsResult<backend::FsPath> child(uint32_t folder_fid, Text name);
    backend::FsResult<struct stat> attributes(const Fid& fid);
    backend::FsResult<Qid> qid(const backend::FsPath& path);
    backend::FsResult<> rename(const backend::FsPath& from, const backend::FsPath& to);
    backend::FsResult<> set_written_xattr(Fid& fid);

    backend::FsBackend& files_;
    QidMap qids_;
    FidTable fids_;
    uint32_t size_ = kMinSize;  // of the messages, as agreed on
};

// The fields of an answer on their way: those of one message, put once.
struct Server::Reply {
    FieldWriter& writer;
    uint8_t number = 0;

    template <class Message>
    void put(const Message& message) {
        number = Message::kNumber;
        write_fields(writer, message);
    }
};

}  // namespace weft::hw::p9
