using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace DaprPlatform.Sidecar.Bindings.Smtp;

/// <summary>The server answered with something else than was hoped for.</summary>
internal sealed class SmtpException(string message) : Exception(message);

/// <summary>A mail server (RFC 5321): encrypted where it offers that (RFC 3207) or from the first byte, signed in to where a user is given. One connection a mail.</summary>
/// <param name="ImplicitTls">TLS from the first byte.</param>
/// <param name="SkipVerify">Any certificate will do.</param>
internal sealed record SmtpServer(string Host, int Port, string User, string Password, bool ImplicitTls, bool SkipVerify)
{
    private const int LongestLine = 4096;

    public async Task SendAsync(Mail mail, CancellationToken cancellationToken)
    {
        using var socket = new TcpClient { NoDelay = true };
        await socket.ConnectAsync(Host, Port, cancellationToken).ConfigureAwait(false);
        Stream stream = socket.GetStream();
        try
        {
            if (ImplicitTls)
                stream = await EncryptAsync(stream, cancellationToken).ConfigureAwait(false);
            await ExpectAsync(stream, 220, cancellationToken).ConfigureAwait(false);
            var features = await HelloAsync(stream, cancellationToken).ConfigureAwait(false);
            if (!ImplicitTls && features.ContainsKey("STARTTLS"))
            {
                await SayAsync(stream, "STARTTLS", 220, cancellationToken).ConfigureAwait(false);
                stream = await EncryptAsync(stream, cancellationToken).ConfigureAwait(false);
                features = await HelloAsync(stream, cancellationToken).ConfigureAwait(false);
            }

            if (User.Length > 0)
                await SignInAsync(stream, features.GetValueOrDefault("AUTH", ""), cancellationToken).ConfigureAwait(false);
            await SayAsync(stream, $"MAIL FROM:<{Mail.AddressOf(mail.From)}>", 250, cancellationToken).ConfigureAwait(false);
            foreach (var recipient in mail.Recipients)
                await SayAsync(stream, $"RCPT TO:<{recipient}>", 250, cancellationToken).ConfigureAwait(false);
            await SayAsync(stream, "DATA", 354, cancellationToken).ConfigureAwait(false);
            // No line begins with a dot: headers do not, and base64 has none.
            await stream.WriteAsync(Encoding.ASCII.GetBytes(mail.Write() + ".\r\n"), cancellationToken).ConfigureAwait(false);
            await ExpectAsync(stream, 250, cancellationToken).ConfigureAwait(false);
            // It is sent; whether the farewell arrives changes nothing.
            await stream.WriteAsync("QUIT\r\n"u8.ToArray(), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<Stream> EncryptAsync(Stream plain, CancellationToken cancellationToken)
    {
        var secured = new SslStream(plain, leaveInnerStreamOpen: false);
        await secured.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = Host,
                RemoteCertificateValidationCallback = SkipVerify ? static (_, _, _, _) => true : null,
            },
            cancellationToken).ConfigureAwait(false);
        return secured;
    }

    private static async Task<Dictionary<string, string>> HelloAsync(Stream stream, CancellationToken cancellationToken)
    {
        var lines = await SayAsync(stream, "EHLO localhost", 250, cancellationToken).ConfigureAwait(false);
        return lines.Skip(1).Select(l => l.Split(' ', 2)).GroupBy(p => p[0], StringComparer.OrdinalIgnoreCase)
            .ToDictionary(g => g.Key, g => g.First() is [_, var parameters] ? parameters : "", StringComparer.OrdinalIgnoreCase);
    }

    private async Task SignInAsync(Stream stream, string mechanisms, CancellationToken cancellationToken)
    {
        // A password is not for everybody on the way.
        if (stream is not SslStream && Host is not ("localhost" or "127.0.0.1" or "::1"))
            throw new SmtpException("unencrypted connection");
        var offered = mechanisms.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (offered.Contains("PLAIN", StringComparer.OrdinalIgnoreCase))
        {
            await SayAsync(stream, "AUTH PLAIN " + Base64($"\0{User}\0{Password}"), 235, cancellationToken).ConfigureAwait(false);
        }
        else if (offered.Contains("LOGIN", StringComparer.OrdinalIgnoreCase))
        {
            await SayAsync(stream, "AUTH LOGIN", 334, cancellationToken).ConfigureAwait(false);
            await SayAsync(stream, Base64(User), 334, cancellationToken).ConfigureAwait(false);
            await SayAsync(stream, Base64(Password), 235, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            throw new SmtpException($"the server offers no way to sign in that is known here ({mechanisms})");
        }

        static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
    }

    private static async Task<List<string>> SayAsync(Stream stream, string command, int expected, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes(command + "\r\n"), cancellationToken).ConfigureAwait(false);
        return await ExpectAsync(stream, expected, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<List<string>> ExpectAsync(Stream stream, int expected, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        while (true)
        {
            var line = await ReadLineAsync(stream, cancellationToken).ConfigureAwait(false);
            if (line.Length < 3 || !int.TryParse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var code))
                throw new SmtpException($"short response: {line}");
            lines.Add(line.Length > 4 ? line[4..] : "");
            if (line.Length > 3 && line[3] == '-')
                continue;
            return code == expected ? lines : throw new SmtpException($"{code} {string.Join(' ', lines)}");
        }
    }

    // By the byte: what comes behind the line belongs to whoever reads next, which after STARTTLS is somebody else.
    private static async Task<string> ReadLineAsync(Stream stream, CancellationToken cancellationToken)
    {
        var line = new List<byte>(128);
        var one = new byte[1];
        while (await stream.ReadAsync(one, cancellationToken).ConfigureAwait(false) == 1)
        {
            if (one[0] == '\n')
                return Encoding.UTF8.GetString(line.ToArray()).TrimEnd('\r');
            line.Add(one[0]);
            if (line.Count > LongestLine)
                throw new SmtpException("the server's line is too long");
        }

        throw new SmtpException("EOF");
    }
}
