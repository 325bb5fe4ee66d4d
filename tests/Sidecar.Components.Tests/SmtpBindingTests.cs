using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using DaprPlatform.Sidecar.Bindings;
using DaprPlatform.Sidecar.Bindings.Smtp;
using DaprPlatform.Sidecar.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Components.Tests;

public sealed class SmtpBindingTests
{
    private static readonly (string, string)[] Complete = [("emailFrom", "Shop <shop@example.test>"), ("emailTo", "ada@example.test; bob@example.test"), ("subject", "Your order")];

    [Fact]
    public async Task A_mail_arrives_with_its_headers_and_its_text()
    {
        using var server = new MailServer();
        await InvokeAsync(server, "\"<p>Zwölf Tassen</p>\"", [.. Complete, ("emailCC", "carl@example.test"), ("emailBCC", "dora@example.test"), ("priority", "1")]);
        var mail = Assert.Single(server.Mails);
        Assert.Equal("shop@example.test", mail.From);
        Assert.Equal(["ada@example.test", "bob@example.test", "carl@example.test", "dora@example.test"], mail.To);
        Assert.Contains("From: Shop <shop@example.test>\r\n", mail.Data, StringComparison.Ordinal);
        Assert.Contains("To: ada@example.test, bob@example.test\r\nCc: carl@example.test\r\nSubject: Your order\r\n", mail.Data, StringComparison.Ordinal);
        Assert.Contains("X-Priority: 1\r\n", mail.Data, StringComparison.Ordinal);
        Assert.DoesNotContain("dora", mail.Data, StringComparison.Ordinal);
        Assert.Equal("<p>Zwölf Tassen</p>", mail.Body);
    }

    [Fact]
    public async Task What_the_component_says_is_used_where_the_request_says_nothing()
    {
        using var server = new MailServer();
        await InvokeAsync(server, "text", [], Complete);
        Assert.Equal("text", Assert.Single(server.Mails).Body);
    }

    [Fact]
    public async Task A_subject_that_is_no_ASCII_is_encoded_in_words_of_their_length()
    {
        using var server = new MailServer();
        var subject = string.Concat(Enumerable.Repeat("Größe 👍 ", 12)).Trim();
        await InvokeAsync(server, "x", [.. Complete[..2], ("subject", subject)]);
        var header = server.Mails.Single().Data.Split("\r\n").SkipWhile(l => !l.StartsWith("Subject: ", StringComparison.Ordinal)).ToArray();
        var words = header.TakeWhile((l, i) => i == 0 || l.StartsWith(' ')).SelectMany(l => l.Replace("Subject: ", "", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        Assert.All(words, w => Assert.True(w.Length <= 75));
        Assert.Equal(subject, string.Concat(words.Select(w => Encoding.UTF8.GetString(Convert.FromBase64String(w["=?UTF-8?B?".Length..^2])))));
    }

    [Theory]
    [InlineData("emailFrom")]
    [InlineData("emailTo")]
    [InlineData("subject")]
    public async Task A_mail_needs_sender_recipient_and_subject(string missing)
    {
        using var server = new MailServer();
        var e = await Assert.ThrowsAsync<BindingException>(() => InvokeAsync(server, "x", [.. Complete.Where(m => m.Item1 != missing)]));
        Assert.Contains(missing, e.Message, StringComparison.Ordinal);
        Assert.Empty(server.Mails);
    }

    [Theory]
    [InlineData("subject", "Hello\r\nBcc: everybody@example.test")]
    [InlineData("emailTo", "a@example.test>\r\nRCPT TO:<b@example.test")]
    public async Task A_line_break_smuggles_nothing_in(string name, string value)
    {
        using var server = new MailServer();
        await Assert.ThrowsAsync<BindingException>(() => InvokeAsync(server, "x", [.. Complete.Where(m => m.Item1 != name), (name, value)]));
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task A_recipient_that_is_refused_fails_the_mail_with_the_servers_words()
    {
        using var server = new MailServer { Refused = "bob@example.test" };
        var e = await Assert.ThrowsAsync<BindingException>(() => InvokeAsync(server, "x", Complete));
        Assert.Contains("550 nobody here of that name", e.Message, StringComparison.Ordinal);
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task A_server_that_is_not_there_fails_the_mail()
    {
        var server = new MailServer();
        server.Dispose();
        await Assert.ThrowsAsync<BindingException>(() => InvokeAsync(server, "x", Complete));
    }

    [Fact]
    public async Task A_server_that_offers_it_is_spoken_to_in_secret_and_signed_in_to()
    {
        using var server = new MailServer(tls: true) { User = "shop", Password = "s3cret" };
        await InvokeAsync(server, "x", Complete, [("user", "shop"), ("password", "s3cret"), ("skipTLSVerify", "true")]);
        Assert.True(Assert.Single(server.Mails).Encrypted);
    }

    [Fact]
    public async Task A_certificate_of_nobody_is_refused_unless_that_is_wanted()
    {
        using var server = new MailServer(tls: true);
        await Assert.ThrowsAsync<BindingException>(() => InvokeAsync(server, "x", Complete));
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task A_wrong_password_fails_the_mail()
    {
        using var server = new MailServer(tls: true) { User = "shop", Password = "s3cret" };
        var e = await Assert.ThrowsAsync<BindingException>(() => InvokeAsync(server, "x", Complete, [("user", "shop"), ("password", "other"), ("skipTLSVerify", "true")]));
        Assert.Contains("535", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("host", "")]
    [InlineData("port", "mail")]
    [InlineData("priority", "6")]
    [InlineData("password", "alone")]
    public async Task A_component_that_cannot_work_says_so_at_the_start(string name, string value)
    {
        using var server = new MailServer();
        await Assert.ThrowsAsync<ComponentException>(() => InvokeAsync(server, "x", Complete, [(name, value)]));
    }

    private static async Task InvokeAsync(MailServer server, string data, (string Name, string Value)[] request, params (string Name, string Value)[] component)
    {
        var metadata = new Dictionary<string, string> { ["host"] = "127.0.0.1", ["port"] = server.Port.ToString(System.Globalization.CultureInfo.InvariantCulture) };
        foreach (var (name, value) in component)
            metadata[name] = value;
        var spec = new ComponentSpec("mail", "bindings.smtp", "v1", metadata, new Dictionary<string, string>(), new SidecarOptions { AppId = "a" }, null!, NullLoggerFactory.Instance, TimeProvider.System);
        await using var binding = new SmtpBinding(spec, TimeProvider.System);
        await binding.InitAsync(default);
        Assert.Null(await binding.InvokeAsync(new BindingRequest("create", Encoding.UTF8.GetBytes(data), request.ToDictionary(m => m.Name, m => m.Value)), default));
    }

    private sealed record Received(string From, List<string> To, string Data, bool Encrypted)
    {
        public string Body => Encoding.UTF8.GetString(Convert.FromBase64String(Data[(Data.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]));
    }

    /// <summary>As much of a mail server as a sender gets to see.</summary>
    private sealed class MailServer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly X509Certificate2? _certificate;

        public MailServer(bool tls = false)
        {
            if (tls)
            {
                using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                using var made = new CertificateRequest("CN=nobody", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
                _certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
            }

            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _ = AcceptAsync();
        }

        public int Port { get; }

        public string User { get; init; } = "";

        public string Password { get; init; } = "";

        public string Refused { get; init; } = "";

        public List<Received> Mails { get; } = [];

        public void Dispose()
        {
            _listener.Dispose();
            _certificate?.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync();
                    await ServeAsync(client);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            try
            {
                Stream stream = client.GetStream();
                var (from, to, signedIn) = ("", new List<string>(), User.Length == 0);
                await SayAsync("220 ready");
                while (await LineAsync() is { } line)
                {
                    switch (line.Split(' ')[0])
                    {
                        case "EHLO":
                            await SayAsync("250-hello\r\n250-SIZE 1000000" + (_certificate is not null && stream is not SslStream ? "\r\n250 STARTTLS" : "\r\n250 AUTH LOGIN PLAIN"));
                            break;
                        case "STARTTLS":
                            await SayAsync("220 go on");
                            var secured = new SslStream(stream);
                            await secured.AuthenticateAsServerAsync(_certificate!);
                            stream = secured;
                            break;
                        case "AUTH":
                            signedIn = Encoding.UTF8.GetString(Convert.FromBase64String(line.Split(' ')[2])) == $"\0{User}\0{Password}";
                            await SayAsync(signedIn ? "235 welcome" : "535 no");
                            break;
                        case "MAIL":
                            from = Between(line);
                            await SayAsync(signedIn ? "250 ok" : "530 sign in");
                            break;
                        case "RCPT" when Between(line) == Refused:
                            await SayAsync("550 nobody here of that name");
                            break;
                        case "RCPT":
                            to.Add(Between(line));
                            await SayAsync("250 ok");
                            break;
                        case "DATA":
                            await SayAsync("354 go on");
                            var data = new StringBuilder();
                            while (await LineAsync() is { } text && text != ".")
                                data.Append(text).Append("\r\n");
                            // Before it is acknowledged: the sender looks afterwards.
                            Mails.Add(new Received(from, to, data.ToString(), stream is SslStream));
                            await SayAsync("250 taken");
                            break;
                        default:
                            return;
                    }
                }

                Task SayAsync(string text) => stream.WriteAsync(Encoding.ASCII.GetBytes(text + "\r\n")).AsTask();

                async Task<string?> LineAsync()
                {
                    var line = new List<byte>();
                    var one = new byte[1];
                    while (await stream.ReadAsync(one) == 1)
                    {
                        if (one[0] == '\n')
                            return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
                        line.Add(one[0]);
                    }

                    return null;
                }
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
            {
                // The sender went away.
            }
        }

        private static string Between(string line) => line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.LastIndexOf('>')];
    }
}
