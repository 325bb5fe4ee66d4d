namespace Grpc.Core;

/// <summary>How a channel is secured.</summary>
public abstract class ChannelCredentials
{
    /// <summary>No transport security; for <c>http</c> addresses.</summary>
    public static ChannelCredentials Insecure { get; } = new InsecureCredentials();

    /// <summary>TLS with the trust of the machine; for <c>https</c> addresses.</summary>
    public static ChannelCredentials SecureSsl { get; } = new SslCredentials();

    /// <summary>Channel credentials that also add call credentials to each call.</summary>
    /// <exception cref="ArgumentException">The channel credentials are insecure or composite already.</exception>
    public static ChannelCredentials Create(ChannelCredentials channelCredentials, CallCredentials callCredentials) =>
        new CompositeChannelCredentials(channelCredentials, callCredentials);

    /// <summary>Tells the configurator what these credentials are.</summary>
    public abstract void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state);

    internal virtual bool IsComposable => false;

    sealed class InsecureCredentials : ChannelCredentials
    {
        public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state) =>
            configurator.SetInsecureCredentials(state);
    }

    sealed class CompositeChannelCredentials : ChannelCredentials
    {
        readonly ChannelCredentials _channel;
        readonly CallCredentials _call;

        public CompositeChannelCredentials(ChannelCredentials channelCredentials, CallCredentials callCredentials)
        {
            ArgumentNullException.ThrowIfNull(channelCredentials);
            ArgumentNullException.ThrowIfNull(callCredentials);
            if (!channelCredentials.IsComposable)
                throw new ArgumentException($"CallCredentials can't be composed with {channelCredentials.GetType().Name}. CallCredentials must be used with secure channel credentials like SslCredentials.", nameof(channelCredentials));
            _channel = channelCredentials;
            _call = callCredentials;
        }

        public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state) =>
            configurator.SetCompositeCredentials(state, _channel, _call);
    }
}

/// <summary>TLS credentials. Certificates other than the machine's trust are set on the channel's HTTP handler.</summary>
public sealed class SslCredentials : ChannelCredentials
{
    /// <summary>TLS with the trust of the machine.</summary>
    public SslCredentials()
    {
    }

    internal override bool IsComposable => true;

    /// <inheritdoc />
    public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state) =>
        configurator.SetSslCredentials(state);
}

/// <summary>Receives what channel credentials consist of.</summary>
public abstract class ChannelCredentialsConfiguratorBase
{
    /// <summary>The credentials are insecure.</summary>
    public abstract void SetInsecureCredentials(object state);

    /// <summary>The credentials are TLS with the handler's certificates.</summary>
    public abstract void SetSslCredentials(object state);

    /// <summary>The credentials are these two together.</summary>
    public abstract void SetCompositeCredentials(object state, ChannelCredentials channelCredentials, CallCredentials callCredentials);
}

/// <summary>Adds the headers of one call, e.g. a token.</summary>
public delegate Task AsyncAuthInterceptor(AuthInterceptorContext context, Metadata metadata);

/// <summary>The call that an <see cref="AsyncAuthInterceptor"/> adds headers to.</summary>
public class AuthInterceptorContext
{
    /// <summary>A context for the given service and method.</summary>
    public AuthInterceptorContext(string serviceUrl, string methodName)
        : this(serviceUrl, methodName, CancellationToken.None)
    {
    }

    /// <summary>A context for the given service and method that ends with the token.</summary>
    public AuthInterceptorContext(string serviceUrl, string methodName, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(serviceUrl);
        ArgumentNullException.ThrowIfNull(methodName);
        ServiceUrl = serviceUrl;
        MethodName = methodName;
        CancellationToken = cancellationToken;
    }

    /// <summary>Address of the service, without the method.</summary>
    public string ServiceUrl { get; }

    /// <summary>Name of the method, without the service.</summary>
    public string MethodName { get; }

    /// <summary>Cancelled with the call.</summary>
    public CancellationToken CancellationToken { get; }
}

/// <summary>Credentials that belong to a call: headers added when it starts.</summary>
public abstract class CallCredentials
{
    /// <summary>All given credentials, in order.</summary>
    public static CallCredentials Compose(params CallCredentials[] credentials) => new CompositeCallCredentials(credentials);

    /// <summary>Credentials whose headers the delegate adds.</summary>
    public static CallCredentials FromInterceptor(AsyncAuthInterceptor interceptor) => new InterceptorCallCredentials(interceptor);

    /// <summary>Tells the configurator what these credentials are.</summary>
    public abstract void InternalPopulateConfiguration(CallCredentialsConfiguratorBase configurator, object? state);

    sealed class CompositeCallCredentials : CallCredentials
    {
        readonly CallCredentials[] _credentials;

        public CompositeCallCredentials(CallCredentials[] credentials)
        {
            if (credentials is null || credentials.Length < 2)
                throw new ArgumentException("Composite credentials object can only be created from 2 or more credentials.", nameof(credentials));
            _credentials = [.. credentials];
        }

        public override void InternalPopulateConfiguration(CallCredentialsConfiguratorBase configurator, object? state) =>
            configurator.SetCompositeCredentials(state, _credentials);
    }

    sealed class InterceptorCallCredentials : CallCredentials
    {
        readonly AsyncAuthInterceptor _interceptor;

        public InterceptorCallCredentials(AsyncAuthInterceptor interceptor)
        {
            ArgumentNullException.ThrowIfNull(interceptor);
            _interceptor = interceptor;
        }

        public override void InternalPopulateConfiguration(CallCredentialsConfiguratorBase configurator, object? state) =>
            configurator.SetAsyncAuthInterceptorCredentials(state, _interceptor);
    }
}

/// <summary>Receives what call credentials consist of.</summary>
public abstract class CallCredentialsConfiguratorBase
{
    /// <summary>The credentials are all of these.</summary>
    public abstract void SetCompositeCredentials(object? state, IReadOnlyList<CallCredentials> credentials);

    /// <summary>The credentials are what the delegate adds.</summary>
    public abstract void SetAsyncAuthInterceptorCredentials(object? state, AsyncAuthInterceptor interceptor);
}
