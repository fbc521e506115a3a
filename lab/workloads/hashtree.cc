// hashtree: the SHA-256 of every file under a folder, by a pool of workers that take paths from one channel and put
// digests into another. It measures a runtime under real work with system calls of very different lengths.
//
// The answer is the digest of the list that `sha256sum` would print, ordered by path:
//   find FOLDER -name '.*' -prune -o -type f -print | LC_ALL=C sort | xargs sha256sum | sha256sum
// The same is worked out sequentially first, so that the measured part finds the files in the page cache.
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

namespace fs = std::filesystem;

constexpr char kSystemHeaders[] = "/usr/include";

// The algorithm, looked up once: a look-up by each worker for each file would be a lock that they share.
const EVP_MD* Sha256() {
  static EVP_MD* const kAlgorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kAlgorithm;
}

// Computes digests, one after another.
class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free), buffer_(64 << 10) {}

  // In hexadecimal.
  absl::StatusOr<std::string> OfFile(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return Unreadable(path);
    Begin();
    ssize_t count;
    while ((count = read(file, buffer_.data(), buffer_.size())) > 0 || (count < 0 && errno == EINTR)) {
      if (count > 0) Add(buffer_.data(), static_cast<size_t>(count));
    }
    const absl::Status status = count < 0 ? Unreadable(path) : absl::OkStatus();
    close(file);
    if (!status.ok()) return status;
    return End();
  }

  std::string OfText(const std::string& text) {
    Begin();
    Add(text.data(), text.size());
    return End();
  }

 private:
  static absl::Status Unreadable(const std::string& path) {
    return absl::UnavailableError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  void Begin() { Check(EVP_DigestInit_ex(context_.get(), Sha256(), nullptr)); }
  void Add(const char* data, size_t size) { Check(EVP_DigestUpdate(context_.get(), data, size)); }
  std::string End() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    Check(EVP_DigestFinal_ex(context_.get(), digest, &size));
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
  }
  static void Check(int ok) {
    if (ok != 1) Panic("hashtree: OpenSSL cannot compute SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
  std::vector<char> buffer_;
};

// The regular files under `folder`, ascending. Symbolic links are not followed.
absl::StatusOr<std::vector<std::string>> FilesUnder(const std::string& folder, bool hidden) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (!hidden && entry->path().filename().native().front() == '.') {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->symlink_status(error).type() == fs::file_type::regular) files.push_back(entry->path().native());
    if (error) break;
  }
  if (error) return absl::UnavailableError(absl::StrCat("cannot list ", folder, ": ", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

// The digest of the list of digests, as sha256sum prints it.
std::string DigestOfList(const std::vector<std::string>& files, const std::vector<std::string>& digests) {
  std::string list;
  for (size_t i = 0; i < files.size(); ++i) absl::StrAppend(&list, digests[i], "  ", files[i], "\n");
  return Hasher().OfText(list);
}

struct Hashed {
  size_t index;
  absl::StatusOr<std::string> digest;
};

// Every file's digest, by `workers` goroutines; `passes` times.
absl::StatusOr<std::vector<std::string>> HashAll(const std::vector<std::string>& files, int64_t workers,
                                                 int64_t passes) {
  Chan<size_t> work = MakeChan<size_t>(workers);
  Chan<Hashed> results = MakeChan<Hashed>(workers);
  Go([&files, work, passes] {
    for (int64_t pass = 0; pass < passes; ++pass) {
      for (size_t i = 0; i < files.size(); ++i) work.Send(i);
    }
    work.Close();
  });
  WaitGroup all;
  for (int64_t i = 0; i < workers; ++i) {
    all.Go([&files, work, results] {
      Hasher hasher;
      for (size_t index : work) results.Send({index, hasher.OfFile(files[index])});
    });
  }
  Go([&all, results] {
    all.Wait();
    results.Close();
  });

  std::vector<std::string> digests(files.size());
  absl::Status wrong;
  for (Hashed hashed : results) {
    std::string& known = digests[hashed.index];
    if (!hashed.digest.ok()) {
      wrong.Update(hashed.digest.status());
    } else if (known.empty()) {
      known = *std::move(hashed.digest);
    } else if (known != *hashed.digest) {
      wrong.Update(absl::DataLossError(absl::StrCat(files[hashed.index], " has another digest in another pass")));
    }
  }
  if (!wrong.ok()) return wrong;
  return digests;
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const std::string& folder = context.parameters.String("folder");
  const int64_t passes = context.parameters.Int("passes");
  int64_t workers = context.parameters.Int("workers");
  if (workers == 0) workers = 4 * context.runtime.procs();

  const absl::StatusOr<std::vector<std::string>> files = FilesUnder(folder, context.parameters.Bool("hidden"));
  if (!files.ok()) return files.status();
  std::vector<std::string> expected;
  uint64_t bytes = 0;
  Hasher hasher;
  for (const std::string& file : *files) {
    absl::StatusOr<std::string> digest = hasher.OfFile(file);
    if (!digest.ok()) return digest.status();
    expected.push_back(*std::move(digest));
    std::error_code ignored;  // a file that is gone by now fails below
    if (const uint64_t size = fs::file_size(file, ignored); !ignored) bytes += size;
  }

  context.meter.Start();
  const absl::StatusOr<std::vector<std::string>> digests = HashAll(*files, workers, passes);
  context.meter.Stop();
  if (!digests.ok()) return digests.status();
  const double total = static_cast<double>(bytes) * static_cast<double>(passes);
  return Report{.answer = DigestOfList(*files, *digests),
                .expected = DigestOfList(*files, expected),
                .operations = static_cast<int64_t>(files->size()) * passes,
                .operation = "file",
                .figures = {{"hashed_bytes", total},
                            {"hashed_bytes_per_s", total * 1e9 / static_cast<double>(context.meter.elapsed())}}};
}

absl::Status Check(const PluginOptions& parameters) {
  const std::string& folder = parameters.String("folder");
  std::error_code error;
  if (fs::is_directory(folder, error)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("folder=", folder, " is no folder", error ? absl::StrCat(": ", error.message()) : ""));
}

// The project's own sources, under `bazel run`.
std::string DefaultFolder() {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  return workspace != nullptr ? workspace : kSystemHeaders;
}

// More to do than the project's sources are, where there is more.
Parameters CompareParameters() {
  std::error_code error;
  if (!fs::is_directory(kSystemHeaders, error)) return {};
  return {{"folder", kSystemHeaders}, {"passes", "2"}};
}

const bool registered = RegisterWorkload({
    .name = "hashtree",
    .help = "the SHA-256 of every file under a folder, by a pool of workers over a channel",
    .parameters = {StringOption("folder", DefaultFolder(), "the folder; symbolic links in it are not followed"),
                   IntOption("workers", 0, 0, 1'000'000, "goroutines that hash; 0: four for each processor"),
                   IntOption("passes", 1, 1, 1'000'000, "how often each file is hashed"),
                   BoolOption("hidden", false, "whether files and folders whose names begin with a dot count")},
    .compare = CompareParameters(),
    .columns = {},
    .check = Check,
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
