//! Servers that answer byte by byte what a test wants: the faults that no real server has
//! on demand.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What a connection is used for.
pub type Handler = dyn Fn(&mut Exchange) + Send + Sync;

/// A TCP server on a free port, one thread per connection.
pub struct RawServer {
    /// Where it listens.
    pub port: u16,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
    handler: Arc<Mutex<Arc<Handler>>>,
    acceptor: Option<JoinHandle<()>>,
}

/// One accepted connection.
pub struct Exchange {
    /// The connection.
    pub stream: TcpStream,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl RawServer {
    /// Starts a server that treats each connection so.
    pub fn start(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Mutex<Arc<Handler>>> = Arc::new(Mutex::new(Arc::new(handler)));
        let acceptor = {
            let (stop, requests, handler) =
                (Arc::clone(&stop), Arc::clone(&requests), Arc::clone(&handler));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let handler = Arc::clone(&handler.lock().expect("no panic while held"));
                    let (stop, requests) = (Arc::clone(&stop), Arc::clone(&requests));
                    std::thread::spawn(move || handler(&mut Exchange { stream, stop, requests }));
                }
            })
        };
        Self { port, stop, requests, handler, acceptor: Some(acceptor) }
    }

    /// A server that answers every HTTP request with the same bytes and closes.
    pub fn http(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |exchange| {
            exchange.request();
            exchange.send(&answer);
        })
    }

    /// Treats connections in another way from now on.
    pub fn become_http(&self, answer: impl Into<Vec<u8>>) {
        let answer = answer.into();
        *self.handler.lock().expect("no panic while held") = Arc::new(move |exchange| {
            exchange.request();
            exchange.send(&answer);
        });
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic while held").clone()
    }

    /// `http://127.0.0.1:port` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor, so that it sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Exchange {
    /// Reads the head of a request and remembers it.
    pub fn request(&mut self) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && head.len() < 64 << 10 {
            match self.stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => break,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.requests.lock().expect("no panic while held").push(head.clone());
        head
    }

    /// Sends bytes; false where the other side is gone.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Holds the connection open, in silence, until the test is over or the other side
    /// has gone.
    pub fn hang(&mut self) {
        let _ = self.stream.set_read_timeout(Some(Duration::from_millis(50)));
        let mut buffer = [0; 4096];
        while !self.stop.load(Ordering::SeqCst) {
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// An HTTP answer with a length.
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
