// sync.RWMutex: many read a map at a time, or one writes. Go's snippet is the two functions; here they are used, too.
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "gyre.h"

gyre::RWMutex rwmu;
std::map<std::string, std::string> data ABSL_GUARDED_BY(rwmu);

std::string Read(const std::string& key) {
  gyre::ReaderLock lock(&rwmu);
  const auto it = data.find(key);
  return it == data.end() ? "" : it->second;
}

void Write(const std::string& key, const std::string& value) {
  gyre::WriterLock lock(&rwmu);
  data[key] = value;
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::WaitGroup writers, readers;
    writers.Go([] { Write("colour", "blue"); });
    writers.Go([] { Write("shape", "round"); });
    writers.Wait();
    for (const char* key : {"colour", "shape", "colour"}) {
      readers.Go([key] { absl::PrintF("%s: %s\n", key, Read(key)); });
    }
    readers.Wait();
  });
}
