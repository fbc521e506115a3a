#include "runtime/debug/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/auxiliary_threads.h"
#include "runtime/debug/http_address.h"
#include "runtime/debug/library.h"
#include "runtime/futex.h"

namespace gyre::internal {

namespace {

struct Mhd {
  decltype(&::MHD_start_daemon) start_daemon = nullptr;
  decltype(&::MHD_stop_daemon) stop_daemon = nullptr;
  decltype(&::MHD_run_wait) run_wait = nullptr;
  decltype(&::MHD_get_daemon_info) get_daemon_info = nullptr;
  decltype(&::MHD_get_connection_info) get_connection_info = nullptr;
  decltype(&::MHD_create_response_from_buffer) create_response_from_buffer = nullptr;
  decltype(&::MHD_add_response_header) add_response_header = nullptr;
  decltype(&::MHD_queue_response) queue_response = nullptr;
  decltype(&::MHD_destroy_response) destroy_response = nullptr;
  decltype(&::MHD_lookup_connection_value) lookup_connection_value = nullptr;
  decltype(&::MHD_suspend_connection) suspend_connection = nullptr;
  decltype(&::MHD_resume_connection) resume_connection = nullptr;

  absl::Status Load() {
    Library library("libmicrohttpd.so.12", "libmicrohttpd12");
    library.Bind("MHD_start_daemon", &start_daemon)
        .Bind("MHD_stop_daemon", &stop_daemon)
        .Bind("MHD_run_wait", &run_wait)
        .Bind("MHD_get_daemon_info", &get_daemon_info)
        .Bind("MHD_get_connection_info", &get_connection_info)
        .Bind("MHD_create_response_from_buffer", &create_response_from_buffer)
        .Bind("MHD_add_response_header", &add_response_header)
        .Bind("MHD_queue_response", &queue_response)
        .Bind("MHD_destroy_response", &destroy_response)
        .Bind("MHD_lookup_connection_value", &lookup_connection_value)
        .Bind("MHD_suspend_connection", &suspend_connection)
        .Bind("MHD_resume_connection", &resume_connection);
    return library.status();
  }
};

constexpr Nanos kLongestRound = 100'000'000;

class MicroHttpServer final : public HttpServer {
 public:
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpAddress& address, Handler handler) {
    std::unique_ptr<MicroHttpServer> server(new MicroHttpServer(std::move(handler)));
    server->only_plain_hosts_ = address.IsLoopback();
    if (absl::Status status = server->mhd_.Load(); !status.ok()) return status;
    unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (address.is_ipv6) flags |= MHD_USE_IPv6;
    errno = 0;
    server->daemon_ = server->mhd_.start_daemon(
        flags, 0, nullptr, nullptr, &OnRequest, server.get(),                                     //
        MHD_OPTION_SOCK_ADDR, address.sockaddress(),                                              //
        MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned int>(kMostConnections),                 //
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<size_t>(kConnectionBytes),                //
        MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned int>(kHeadPatience / 1'000'000'000),  //
        MHD_OPTION_NOTIFY_CONNECTION, &OnConnection, server.get(),                                //
        MHD_OPTION_NOTIFY_COMPLETED, &OnCompleted, server.get(),                                  //
        MHD_OPTION_END);
    if (server->daemon_ == nullptr) {
      const int port = ntohs(address.is_ipv6 ? address.ipv6.sin6_port : address.ipv4.sin_port);
      return absl::UnavailableError(absl::StrCat("debug_http: cannot listen on ", address.ToString(port), ": ",
                                                 errno != 0 ? std::strerror(errno) : "libmicrohttpd does not start"));
    }
    const MHD_DaemonInfo* info = server->mhd_.get_daemon_info(server->daemon_, MHD_DAEMON_INFO_BIND_PORT);
    server->address_ = address.ToString(info != nullptr ? info->port : 0);
    const int error = server->thread_.Start("gyre-debug-http", [raw = server.get()] { raw->Serve(); });
    if (error != 0) {
      return absl::ResourceExhaustedError(absl::StrCat("debug_http: cannot start a thread: ", std::strerror(error)));
    }
    return server;
  }

  ~MicroHttpServer() override {
    stopping_.store(true, std::memory_order_release);
    thread_.Join();
    if (daemon_ != nullptr) mhd_.stop_daemon(daemon_);
  }

  std::string address() const override { return address_; }

 private:
  struct Request {
    HttpAnswer answer;
    bool answered = false;  // `answer` is what is to be sent
    Nanos due = 0;          // when it is to be asked for, if it is not
  };
  struct Connection {
    int socket = -1;
    Nanos until = 0;  // when patience ends
  };

  explicit MicroHttpServer(Handler handler) : handler_(std::move(handler)) {}

  // ---- the thread; all below is its own ----

  void Serve() {
    while (!stopping_.load(std::memory_order_acquire)) {
      Nanos wait = kLongestRound;
      for (const auto& [connection, request] : waiting_) wait = std::min(wait, request->due - MonotonicClock());
      mhd_.run_wait(daemon_, static_cast<int32_t>(std::max<Nanos>(wait, 1'000'000) / 1'000'000));
      AnswerThoseDue(MonotonicClock());
      EndPatience(MonotonicClock());
    }
    AnswerThoseDue(kNever);
    mhd_.run_wait(daemon_, 0);
  }

  void AnswerThoseDue(Nanos now) {
    std::vector<MHD_Connection*> due;
    for (const auto& [connection, request] : waiting_) {
      if (request->due <= now) due.push_back(connection);
    }
    for (MHD_Connection* connection : due) {
      Request* request = waiting_[connection];
      request->answer = std::exchange(request->answer.then, nullptr)();
      if (request->answer.then && now != kNever) {
        request->due = MonotonicClock() + request->answer.wait;
        continue;
      }
      waiting_.erase(connection);
      request->answered = true;
      connections_[connection].until = MonotonicClock() + kAnswerPatience;
      mhd_.resume_connection(connection);  // OnRequest is called again
    }
  }

  // A client that sends or takes a byte now and then is never idle for the library: it has had its time.
  void EndPatience(Nanos now) {
    for (auto& [connection, its] : connections_) {
      if (now < its.until) continue;
      shutdown(its.socket, SHUT_RDWR);
      its.until = kNever;
    }
  }

  static void OnConnection(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode what) {
    auto* server = static_cast<MicroHttpServer*>(self);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
      server->connections_.erase(connection);
      return;
    }
    const MHD_ConnectionInfo* info = server->mhd_.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    server->connections_[connection] = {info != nullptr ? info->connect_fd : -1, MonotonicClock() + kHeadPatience};
  }

  static void OnCompleted(void* self, MHD_Connection* connection, void** data, MHD_RequestTerminationCode) {
    auto* server = static_cast<MicroHttpServer*>(self);
    delete static_cast<Request*>(*data);
    *data = nullptr;
    auto its = server->connections_.find(connection);
    if (its != server->connections_.end()) its->second.until = MonotonicClock() + kHeadPatience;
  }

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                              const char*, size_t* upload_size, void** data) {
    auto* server = static_cast<MicroHttpServer*>(self);
    auto* request = static_cast<Request*>(*data);
    if (request == nullptr) {
      *data = request = new Request;
      server->connections_[connection].until = MonotonicClock() + kAnswerPatience;
      if (std::optional<HttpAnswer> refusal = server->Refusal(connection, method)) {
        request->answer = *std::move(refusal);
        return server->Send(connection, request);
      }
      return MHD_YES;
    }
    if (*upload_size != 0) {  // a GET with a body: nobody reads it
      *upload_size = 0;
      return MHD_YES;
    }
    if (!request->answered) {
      HttpRequest asked;
      asked.path = url;
      asked.argument = [server, connection](const char* name) -> std::optional<std::string> {
        const char* value = server->mhd_.lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
        if (value == nullptr) return std::nullopt;
        return value;
      };
      request->answer = server->handler_(asked);
      if (request->answer.then) {
        request->due = MonotonicClock() + request->answer.wait;
        server->connections_[connection].until = kNever;
        server->waiting_[connection] = request;
        server->mhd_.suspend_connection(connection);
        return MHD_YES;
      }
    }
    return server->Send(connection, request);
  }

  std::optional<HttpAnswer> Refusal(MHD_Connection* connection, const char* method) {
    if (std::strcmp(method, MHD_HTTP_METHOD_GET) != 0 && std::strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
      return HttpError(405, "only GET is answered here");
    }
    const char* host = mhd_.lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (only_plain_hosts_ && host != nullptr && !IsPlainHost(host)) {
      return HttpError(403, "this server is for its own machine: ask for localhost or a numeric address");
    }
    return std::nullopt;
  }

  MHD_Result Send(MHD_Connection* connection, Request* request) {
    std::string& body = request->answer.body;
    MHD_Response* response = mhd_.create_response_from_buffer(body.size(), body.data(), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    mhd_.add_response_header(response, "Content-Type", request->answer.type.c_str());
    mhd_.add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (!request->answer.file.empty()) {
      const std::string disposition = absl::StrCat("attachment; filename=\"", request->answer.file, "\"");
      mhd_.add_response_header(response, "Content-Disposition", disposition.c_str());
    }
    const MHD_Result result =
        mhd_.queue_response(connection, static_cast<unsigned int>(request->answer.status), response);
    mhd_.destroy_response(response);
    return result;
  }

  Handler handler_;
  Mhd mhd_;
  MHD_Daemon* daemon_ = nullptr;
  std::string address_;
  bool only_plain_hosts_ = true;
  std::atomic<bool> stopping_{false};
  AuxiliaryThread thread_;
  std::map<MHD_Connection*, Connection> connections_;
  std::map<MHD_Connection*, Request*> waiting_;  // suspended
};

}  // namespace

HttpAnswer HttpError(int status, std::string text) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(text) + "\n";
  return answer;
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& text, bool beyond_loopback,
                                                              Handler handler) {
  absl::StatusOr<HttpAddress> address = HttpAddress::Parse(text, beyond_loopback);
  if (!address.ok()) return address.status();
  return MicroHttpServer::Start(*address, std::move(handler));
}

}  // namespace gyre::internal
